/* SPDX-License-Identifier: MIT
 *
 * A module with SIZE bytes and one number of each thread's, for threads-churn.cc.
 */
static __thread char bytes[SIZE] = {1};
static __thread int sum = 1000;

int add(int what);
int add(int what)
{
    bytes[what]++;
    return sum += what;
}
