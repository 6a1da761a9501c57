"""From the kernel's ring into a recording, while a target runs under the probes."""
