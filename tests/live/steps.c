/* Does the steps of a list, each a system call, in the threads and processes that the list names, one after the other:
 * what tests/support/steps_program.py made. Without a C library, so that it makes no call that is not told of.
 *
 * The list is a file (argv[1]), shared by all; argv[2] is the number of the actor that this image begins as. */
#include <linux/futex.h>
#include <linux/sched.h>
#include <sys/syscall.h>

#define AREA 0x200000000000UL
#define SIZE (64UL << 20)
#define STACKS 0x1000000UL /* in the area; an actor's ends where the next one's begins */
#define STACK 8192UL
#define STARTS 64  /* a clone that begins actor `other` */
#define LEAVES 128 /* the next step need not wait until the call returns, which it may never do */
#define PASSES 256 /* another one goes on: who is begun, or the new image */
#define NONE (~0U)

struct step {
	unsigned int actor, nr, flags, other;
	unsigned long args[6];
	long result;
	unsigned int tid, tgid;
};

struct actor {
	unsigned int go; /* the step that it may do */
	unsigned int at; /* the first step that it has not done */
	unsigned int tid, tgid;
	unsigned int futexes; /* calls of futex that returned */
	unsigned int before;  /* the same, while it was a thread that then executed: the leader's ID is its own now */
	unsigned int pad[10];
};

struct area {
	unsigned int steps, pad[15];
	struct actor actors[4096];
	struct step step[];
};
#define area ((struct area *)AREA)

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* The step is done: its next one may be. own: who says so. */
static void done(unsigned int index, struct actor *own)
{
	unsigned int next = index + 1;
	struct actor *other;

	if (next >= area->steps)
		return;
	other = &area->actors[area->step[next].actor];
	if (other == own) {
		other->go = next;
		return;
	}
	__atomic_store_n(&other->go, next, __ATOMIC_SEQ_CST);
	call(SYS_futex, (long)&other->go, FUTEX_WAKE, 1, 0, 0, 0);
	own->futexes++;
}

static void await(struct actor *own, unsigned int index)
{
	unsigned int go;

	while ((go = __atomic_load_n(&own->go, __ATOMIC_SEQ_CST)) != index) {
		call(SYS_futex, (long)&own->go, FUTEX_WAIT, go, 0, 0, 0);
		own->futexes++;
	}
}

static void act(unsigned int number, unsigned int begun_by);

/* clone(2) on a stack of the new actor's own. */
static long start(struct step *step, unsigned int index)
{
	unsigned long *top = (unsigned long *)(AREA + STACKS + (step->other + 1) * STACK) - 4;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long result;

	top[0] = (unsigned long)act;
	top[1] = step->other;
	top[2] = index;
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "pop %%rax\n\t"
			 "pop %%rdi\n\t"
			 "pop %%rsi\n\t"
			 "and $-16, %%rsp\n\t"
			 "call *%%rax\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(result)
			 : "a"(SYS_clone), "D"(step->args[0]), "S"(top), "d"(0), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

static void take(struct step *step, unsigned int index)
{
	struct actor *own = &area->actors[step->actor];
	long args[6];

	for (int i = 0; i < 6; i++)
		args[i] = step->flags >> i & 1 ? *(unsigned int *)step->args[i] : step->args[i];
	step->tid = own->tid;
	step->tgid = own->tgid;
	own->at = index + 1;
	if (step->flags & LEAVES)
		done(index, own);
	step->result = step->flags & STARTS ? start(step, index)
					    : call(step->nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (!(step->flags & (LEAVES | PASSES)))
		done(index, own);
}

/* An actor's steps to the end. begun_by: the step that began it, or its image. */
static void act(unsigned int number, unsigned int begun_by)
{
	struct actor *own = &area->actors[number];

	own->tid = call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	own->tgid = call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	if (begun_by != NONE)
		done(begun_by, own);
	for (unsigned int i = begun_by + 1; i < area->steps; i++) {
		if (area->step[i].actor != number)
			continue;
		await(own, i);
		take(&area->step[i], i);
	}
	await(own, NONE); /* another one ends it */
}

__attribute__((used)) static void begin(unsigned long *stack)
{
	char **argv = (char **)(stack + 1);
	unsigned int number = 0, at;
	long fd = call(SYS_open, (long)argv[1], 2, 0, 0, 0, 0);

	call(SYS_mmap, AREA, SIZE, 3, 0x11, fd, 0); /* read and write; shared, fixed */
	call(SYS_close, fd, 0, 0, 0, 0, 0);
	for (const char *digit = argv[2]; *digit; digit++)
		number = number * 10 + *digit - '0';
	at = area->actors[number].at;
	if (area->actors[number].tid != area->actors[number].tgid) {
		area->actors[number].before = area->actors[number].futexes;
		area->actors[number].futexes = 0;
	}
	act(number, at ? at - 1 : NONE);
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n\thlt\n");
