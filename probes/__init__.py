"""The BPF programs (iotrace.bpf.c), their record (iotrace.h) and the few kernel headers BCC compiles against."""
