/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The system calls of 32-bit programs on x86-64, told as if a 64-bit one had made them: i386's numbers to those of
 * bpf/call.h. From 424 on they are the same. What an argument points to may still look otherwise: a structure with
 * pointers or longs in it.
 */
#ifndef BPF_CALL_I386_H
#define BPF_CALL_I386_H

#if defined(__TARGET_ARCH_x86) || defined(__x86_64__)

#ifndef barrier_var /* it is for the verifier */
#define barrier_var(variable)
#endif

#define I386_CODE       0x23 /* the code segment of a 32-bit program */
#define I386_SOCKETCALL 102
#define I386_IPC        117
#define I386_SAME       424
#define I386_UNLISTED   511

/* One more than the number, 0: not listed. */
static const __u16 calls_of_i386[512] = {
    [0] = 219 + 1,   [2] = 57 + 1,    [3] = 0 + 1,     [4] = 1 + 1,     [5] = 2 + 1,     [6] = 3 + 1,
    [7] = 61 + 1,    [10] = 87 + 1,   [11] = 59 + 1,   [29] = 34 + 1,   [36] = 162 + 1,  [38] = 82 + 1,
    [39] = 83 + 1,   [40] = 84 + 1,   [45] = 12 + 1,   [54] = 16 + 1,   [55] = 72 + 1,   [72] = 130 + 1,
    [82] = 23 + 1,   [90] = 9 + 1,    [91] = 11 + 1,   [93] = 77 + 1,   [114] = 61 + 1,  [118] = 74 + 1,
    [120] = 56 + 1,  [125] = 10 + 1,  [141] = 217 + 1, [142] = 23 + 1,  [143] = 73 + 1,  [144] = 26 + 1,
    [145] = 19 + 1,  [146] = 20 + 1,  [148] = 75 + 1,  [162] = 35 + 1,  [163] = 25 + 1,  [168] = 7 + 1,
    [177] = 128 + 1, [179] = 130 + 1, [180] = 17 + 1,  [181] = 18 + 1,  [187] = 40 + 1,  [190] = 58 + 1,
    [192] = 9 + 1,   [194] = 77 + 1,  [195] = 4 + 1,   [196] = 6 + 1,   [219] = 28 + 1,  [220] = 217 + 1,
    [221] = 72 + 1,  [239] = 40 + 1,  [240] = 202 + 1, [247] = 208 + 1, [256] = 232 + 1, [267] = 230 + 1,
    [279] = 242 + 1, [280] = 243 + 1, [284] = 247 + 1, [295] = 257 + 1, [296] = 258 + 1, [300] = 262 + 1,
    [301] = 263 + 1, [308] = 270 + 1, [309] = 271 + 1, [313] = 275 + 1, [314] = 277 + 1, [315] = 276 + 1,
    [316] = 278 + 1, [319] = 281 + 1, [324] = 285 + 1, [333] = 295 + 1, [334] = 296 + 1, [337] = 299 + 1,
    [344] = 306 + 1, [345] = 307 + 1, [353] = 316 + 1, [358] = 322 + 1, [362] = 42 + 1,  [364] = 288 + 1,
    [369] = 44 + 1,  [370] = 46 + 1,  [371] = 45 + 1,  [372] = 47 + 1,  [377] = 326 + 1, [378] = 327 + 1,
    [379] = 328 + 1, [383] = 332 + 1, [385] = 333 + 1, [400] = 69 + 1,  [401] = 70 + 1,  [407] = 230 + 1,
    [413] = 270 + 1, [414] = 271 + 1, [416] = 333 + 1, [417] = 299 + 1, [418] = 242 + 1, [419] = 243 + 1,
    [420] = 220 + 1, [421] = 128 + 1, [422] = 202 + 1,
};

/* By the call that is socketcall's first argument: connect, accept, send, recv, sendto, recvfrom, sendmsg, recvmsg,
 * accept4, recvmmsg, sendmmsg. */
static const __u16 socketcalls[32] = {
    [3] = 42 + 1,  [5] = 43 + 1,  [9] = 44 + 1,   [10] = 45 + 1,  [11] = 44 + 1,  [12] = 45 + 1,
    [16] = 46 + 1, [17] = 47 + 1, [18] = 288 + 1, [19] = 299 + 1, [20] = 307 + 1,
};

/* By ipc's: semop, semtimedop, msgsnd, msgrcv. */
static const __u16 ipc_calls[32] = {[1] = 65 + 1, [4] = 220 + 1, [11] = 69 + 1, [12] = 70 + 1};

static __always_inline int call_of_i386(__u32 number, __u32 first)
{
    __u16 found = 0;
    if (number >= I386_SAME)
        return number;
    barrier_var(number);
    if (number == I386_SOCKETCALL && first < 32) {
        barrier_var(first);
        found = socketcalls[first & 31];
    } else if (number == I386_IPC && (first & 0xffff) < 32) {
        barrier_var(first);
        found = ipc_calls[first & 31];
    } else {
        found = calls_of_i386[number & 511];
    }
    return found ? found - 1 : I386_UNLISTED;
}

#endif
#endif
