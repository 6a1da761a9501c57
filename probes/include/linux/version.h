/* BCC's helpers compare LINUX_VERSION_CODE; iotrace itself tests for features, never for this number. */
#pragma once
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 10, 0)
