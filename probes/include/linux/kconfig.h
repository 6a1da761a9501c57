/* The one configuration symbol BCC's helpers look at. */
#pragma once
#define CONFIG_BPF_SYSCALL 1
