/* SPDX-License-Identifier: MIT
 *
 * A library with static TLS, as libGL and others have: its variables lie at a fixed distance from the thread pointer,
 * in every thread, also in those that were there before it.
 */
static __thread int number __attribute__((tls_model("initial-exec"))) = 42;
static __thread int zero __attribute__((tls_model("initial-exec")));
static __thread int plain = 17;

int plugin_number(int change);
int plugin_number(int change)
{
    number += change;
    zero += change;
    plain += change;
    return number == 42 + zero && plain == 17 + zero ? number : -1;
}
