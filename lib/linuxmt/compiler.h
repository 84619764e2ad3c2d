/* SPDX-License-Identifier: MIT
 *
 * What the public headers need of the compiler. Nothing here is part of the interface.
 */
#ifndef LINUXMT_COMPILER_H
#define LINUXMT_COMPILER_H

/* Between these, names have C linkage and are exported, also by a build that hides names by default. */
#ifdef __cplusplus
#define MT__BEGIN                                      \
    _Pragma("GCC visibility push(default)") extern "C" \
    {
#define MT__END \
    }           \
    _Pragma("GCC visibility pop")
#else
#define MT__BEGIN _Pragma("GCC visibility push(default)")
#define MT__END   _Pragma("GCC visibility pop")
#endif

#define MT__STR2(x)      #x
#define MT__STR(x)       MT__STR2(x)
#define MT__HERE         __FILE__ ":" MT__STR(__LINE__)
#define MT__LIKELY(x)    __builtin_expect(!!(x), 1)
#define MT__MUST_CHECK   __attribute__((warn_unused_result))
#define MT__PRINTF(a, b) __attribute__((format(printf, a, b)))

#if defined(__SANITIZE_THREAD__)
#define MT__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MT__TSAN 1
#endif
#endif
#ifndef MT__TSAN
#define MT__TSAN 0
#endif

#endif
