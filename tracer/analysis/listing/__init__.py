"""The calls one by one, as strace(1) lists them."""
