/* SPDX-License-Identifier: (MIT OR GPL-2.0-only)
 *
 * What select, poll and epoll_wait are given: the descriptors to watch and the time-out, read at the call's entry,
 * since select overwrites both. A record is made where that differs from the last such call of the thread. */
#define WATCHED_MOST 64   /* of poll's descriptors that get records; the first one says how many there are */
#define WATCHED_WORDS 16  /* of 64 descriptors each of select's */
#define WATCHED_AT_ONCE 4 /* records; the verifier walks through each */
#define POLL_AT_ONCE 8
#define WORDS_AT_ONCE 4

static __always_inline u64 mixed(u64 digest, u64 word)
{
	digest = (digest ^ word) * 0x9E3779B97F4A7C15ULL;
	return digest ^ digest >> 32;
}

/* ns, TIMEOUT_NEVER or TIMEOUT_UNREAD. */
static __always_inline s64 timeout_of(u32 nr, u64 args[8])
{
	u64 place = nr == NR_PPOLL ? args[ARG2] : nr == NR_EPOLL_PWAIT2 ? args[ARG3] : args[ARG4];
	s64 parts[2] = {}; /* struct timespec or timeval */

	if (nr != NR_PPOLL && nr != NR_EPOLL_PWAIT2 && nr != NR_SELECT && nr != NR_PSELECT6) {
		s32 ms = nr == NR_POLL ? args[ARG2] : args[ARG3];

		return ms < 0 ? TIMEOUT_NEVER : ms * 1000000LL;
	}
	if (!place)
		return TIMEOUT_NEVER;
	if (user_bytes(parts, sizeof(parts), (void *)place))
		return TIMEOUT_UNREAD;
	return parts[0] * 1000000000LL + (nr == NR_SELECT ? parts[1] * 1000 : parts[1]);
}

/* A digest of poll's descriptors. first: the first of them. 0 where they cannot be read. */
static __always_inline u64 pollfds(u64 place, u32 count, u64 *first)
{
	u64 digest = count;

	for (u32 from = 0; from < WATCHED_MOST; from += POLL_AT_ONCE) {
		u64 words[POLL_AT_ONCE] = {};
		u32 left = count - from;

		if (from >= count)
			break;
		if (user_bytes(words, left < POLL_AT_ONCE ? 8 * (left & (POLL_AT_ONCE - 1)) : sizeof(words),
			       (void *)(place + 8 * (u64)from)))
			return 0;
		if (!from)
			*first = words[0] & WATCHED_POLL;
		for (u32 i = 0; i < POLL_AT_ONCE; i++) /* behind the last they are 0 */
			digest = mixed(digest, words[i] & WATCHED_POLL);
	}
	return digest;
}

/* The bits behind nfds, in the last word of a set, mean nothing. */
static __always_inline u64 meant(u64 bits, u32 word, u32 nfds)
{
	u32 left = nfds - 64 * word;

	return bits & (left < 64 ? (1ULL << (left & 63)) - 1 : ~0ULL);
}

/* A digest of one of select's sets of nfds descriptors. */
static __always_inline u64 fd_set_of(u64 place, u32 nfds)
{
	u64 digest = nfds;

	for (u32 from = 0; from < WATCHED_WORDS; from += WORDS_AT_ONCE) {
		u64 words[WORDS_AT_ONCE] = {};
		u32 left = (nfds + 63) / 64 - from;

		if (64 * from >= nfds || !place)
			break;
		if (user_bytes(words, left < WORDS_AT_ONCE ? 8 * (left & (WORDS_AT_ONCE - 1)) : sizeof(words),
			       (void *)(place + 8 * (u64)from)))
			return 0;
		for (u32 i = 0; i < WORDS_AT_ONCE; i++)
			digest = mixed(digest, meant(words[i], from + i, nfds));
	}
	return digest;
}

static __always_inline u64 fd_word(u64 set, u32 word, u32 nfds)
{
	u64 bits = 0;

	if (set)
		user_bytes(&bits, sizeof(bits), (void *)(set + 8 * (u64)word));
	return meant(bits, word, nfds);
}

TAIL(watch)
{
	struct slot *slot = find_at(ctx->args[0]);
	u64 args[8] = {}, first = 0, digest = 1;
	u32 count = 0, more = 0;

	if (!slot || kernel_bytes(args, sizeof(args), (void *)(ctx->args[0] + REGS_ARGUMENTS)))
		return 0;
	u32 nr = slot->nr;
	s64 timeout = timeout_of(nr, args);

	if (nr == NR_POLL || nr == NR_PPOLL) {
		count = args[ARG1];
		digest = pollfds(args[ARG0], count, &first);
		more = count < 2 ? 0 : ((count < WATCHED_MOST ? count : WATCHED_MOST) + 1) / 3;
	} else if (nr == NR_SELECT || nr == NR_PSELECT6) {
		count = (s32)args[ARG0] < 0 ? 0 : args[ARG0];
		u64 in = fd_set_of(args[ARG1], count), out = fd_set_of(args[ARG2], count),
		    except = fd_set_of(args[ARG3], count);

		digest = !count || (in && out && except) ? mixed(mixed(mixed(1, in), out), except) : 0;
		more = count < 64 * WATCHED_WORDS ? (count + 63) / 64 : WATCHED_WORDS;
	}
	if (!digest) /* a page that is not there yet: what is watched stays unknown */
		more = 0, first = 0;
	digest = mixed(mixed(digest, timeout), nr) | 1;
	if (slot->watched == digest)
		return 0;
	slot->watched = digest;
	slot->at = 0;
	batch_record(slot->enter, KIND_WATCHED, slot->tid, nr, timeout, first, count, more, false);
	if (more)
		tail_calls.call(ctx, TAIL_WATCH_MORE);
	return 0;
}

TAIL(watch_more)
{
	struct slot *slot = find_at(ctx->args[0]);
	u64 args[8] = {}, words[3];

	if (!slot || kernel_bytes(args, sizeof(args), (void *)(ctx->args[0] + REGS_ARGUMENTS)))
		return 0;
	u32 nr = slot->nr, from = slot->at;
	bool polls = nr == NR_POLL || nr == NR_PPOLL;
	u32 count = polls ? args[ARG1] : args[ARG0];

	if (polls && count > WATCHED_MOST)
		count = WATCHED_MOST;
	for (u32 i = 0; i < WATCHED_AT_ONCE; i++) {
		u32 at = from + i;

		if (polls) {
			u32 entry = 1 + 3 * at;

			if (entry >= count)
				return 0;
			words[0] = words[1] = words[2] = 0;
			user_bytes(words, 8 * ((count - entry < 3 ? count - entry : 3) & 3),
				   (void *)(args[ARG0] + 8 * (u64)entry));
			for (u32 one = 0; one < 3; one++)
				words[one] = entry + one < count ? words[one] & WATCHED_POLL : 0xffffffff;
		} else {
			if (64 * at >= count || at >= WATCHED_WORDS)
				return 0;
			words[0] = fd_word(args[ARG1], at, count);
			words[1] = fd_word(args[ARG2], at, count);
			words[2] = fd_word(args[ARG3], at, count);
		}
		batch_record(slot->enter, KIND_WATCHED, slot->tid, WATCHED_MORE + at, words[0], words[1], words[2],
			     words[2] >> 32, false);
	}
	slot->at = from + WATCHED_AT_ONCE;
	tail_calls.call(ctx, TAIL_WATCH_MORE);
	return 0;
}
