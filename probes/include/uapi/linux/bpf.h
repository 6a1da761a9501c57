/* BCC carries its own copy of the kernel's bpf.h; that one is used. */
#include <bcc/bpf.h>
