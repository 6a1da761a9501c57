/* Calls that have no entry, calls of other ABIs and calls of odd numbers; prints how many it made of each. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL(n, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, n, 0, 1), BPF_STMT(BPF_RET | BPF_K, action)

static int traps, listener = -1, ready[2], emulated, refused, notified, odd, killed = 1;

static void trapped(int number, siginfo_t *info, void *context)
{
	traps += info->si_syscall == SYS_getuid;
}

static long compat(long nr, long first, long second, long third)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(nr), "b"(first), "c"(second), "d"(third)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static void other_abis(void)
{
	static const long numbers[] = {500,    0x3fff,  0x4000,     0x7fff,     0x8003,
				       0xffff, 0x1002d, 0x4000002d, 0x40000203, -1};
	char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int ends[2];

	pipe(ends);
	for (int i = 0; i < 23; i++) {
		write(ends[1], "hello", 5);
		if (compat(3, ends[0], (long)low, 64) != 5)
			abort();
	}
	for (int i = 0; i < 29; i++)
		if (compat(20, 0, 0, 0) != getpid())
			abort();
	for (int i = 0; i < 7; i++)
		for (unsigned n = 0; n < sizeof(numbers) / sizeof(*numbers); n++)
			odd += syscall(numbers[n]) == -1 && errno == ENOSYS;
	compat(0x8003, 0, 0, 0);
	compat(0xffff, 0, 0, 0);
}

static void install(struct sock_filter *filter, int size, int flags, int *fd)
{
	struct sock_fprog program = {size, filter};
	int result;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (result < 0)
		abort();
	if (fd)
		*fd = result;
}

static void *asks(void *unused)
{
	struct sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
				       CALL(SYS_getegid, SECCOMP_RET_USER_NOTIF),
				       CALL(SYS_geteuid, SECCOMP_RET_KILL_THREAD),
				       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};

	prctl(PR_SET_NAME, "asks");
	install(filter, sizeof(filter) / sizeof(*filter), SECCOMP_FILTER_FLAG_NEW_LISTENER, &listener);
	write(ready[1], "r", 1);
	for (int i = 0; i < 11; i++)
		notified += syscall(SYS_getegid) == (i % 2 ? SYS_getegid : -1);
	syscall(SYS_geteuid); /* the last that it does */
	killed = 0;
	return 0;
}

static void supervise(void)
{
	pthread_t thread;
	char byte;

	pipe(ready);
	pthread_create(&thread, 0, asks, 0);
	read(ready[0], &byte, 1);
	for (int i = 0; i < 11; i++) {
		struct seccomp_notif request = {0};
		struct seccomp_notif_resp answer = {0};

		ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request);
		answer.id = request.id;
		answer.val = i % 2 ? SYS_getegid : 0; /* its own number: no trap */
		answer.error = i % 2 ? 0 : -EACCES;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	pthread_join(thread, 0);
}

static void emulate(void)
{
	struct user_regs_struct regs;
	int status;
	pid_t child = fork();

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (int i = 0; i < 13; i++)
			if (syscall(SYS_getpgrp) != 4711)
				_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(child, &status, 0);
	for (ptrace(PTRACE_SYSEMU, child, 0, 0);; ptrace(PTRACE_SYSEMU, child, 0, 0)) {
		waitpid(child, &status, 0);
		ptrace(PTRACE_GETREGS, child, 0, &regs);
		if (!WIFSTOPPED(status) || regs.orig_rax != SYS_getpgrp)
			break;
		regs.rax = 4711;
		ptrace(PTRACE_SETREGS, child, 0, &regs);
		emulated++;
	}
	if (regs.orig_rax != SYS_getpgrp) { /* the call after those: let it be made */
		emulated++;
		regs.rax = regs.orig_rax;
		regs.rip -= 2;
		ptrace(PTRACE_SETREGS, child, 0, &regs);
	}
	ptrace(PTRACE_DETACH, child, 0, 0);
	waitpid(child, &status, WUNTRACED);
	if (WIFSTOPPED(status)) {
		kill(child, SIGCONT);
		waitpid(child, &status, 0);
	}
}

static void *idle(void *unused)
{
	return 0;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
	struct sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
				       CALL(SYS_getppid, SECCOMP_RET_ERRNO | EPERM), CALL(SYS_getuid, SECCOMP_RET_TRAP),
				       CALL(SYS_getgid, SECCOMP_RET_LOG), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};

	other_abis();
	emulate();
	supervise();
	sigaction(SIGSYS, &action, 0);
	install(filter, sizeof(filter) / sizeof(*filter), 0, 0);
	for (int i = 0; i < 5; i++) {
		pthread_t thread;

		pthread_create(&thread, 0, idle, 0);
		pthread_join(thread, 0);
	}
	for (int i = 0; i < 100; i++) {
		refused += syscall(SYS_getppid) == -1 && errno == EPERM;
		syscall(SYS_getuid);
		syscall(SYS_getgid);
	}
	printf("{\"refused\": %d, \"traps\": %d, \"notified\": %d, \"emulated\": %d, \"odd\": %d, \"killed\": %d}\n",
	       refused, traps, notified, emulated, odd, killed);
	return 0;
}
