/* SPDX-License-Identifier: MIT
 *
 * Prints which backend makes the threads when nobody asks for one: backends.t tests the other.
 */
#include <linuxmt.h>
#include <stdio.h>

int main(void)
{
    return puts(mt_thread_backend()) < 0;
}
