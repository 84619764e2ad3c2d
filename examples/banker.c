/* SPDX-License-Identifier: MIT
 *
 * Dijkstra's banker with the numbers of the textbooks: five tasks, three kinds of resource. It shows the state, an
 * order in which all can be served to the end, a request that is granted, one that is not there, and the interesting
 * one: a request for something that is there, and is refused all the same, since nobody could be sure to end after it.
 * Everybody then ends in the order that the banker found.
 *
 * The requests are made by one thread, so that the output is always the same. In a program each customer would be a
 * task and use a deadline in place of MT_NOWAIT: the call then waits until its request is safe.
 */
#include <linuxmt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KINDS = 3, CUSTOMERS = 5 };

static const uint32_t total[KINDS] = {10, 5, 7};
static const uint32_t claims[CUSTOMERS][KINDS] = {{7, 5, 3}, {3, 2, 2}, {9, 0, 2}, {2, 2, 2}, {4, 3, 3}};
static uint32_t held[CUSTOMERS][KINDS] = {{0, 1, 0}, {2, 0, 0}, {3, 0, 2}, {2, 1, 1}, {0, 0, 2}};

static struct mt_banker *bank;

static int open_bank(void)
{
    bank = mt_banker_new(KINDS, total);
    if (!bank)
        return -errno;
    for (int i = 0; i < CUSTOMERS; i++) {
        int number = mt_banker_join(bank, claims[i]); /* from 0 on, in a new bank */
        int err = number < 0 ? number : mt_banker_request(bank, number, held[i], MT_NOWAIT);
        if (err)
            return err;
    }
    return 0;
}

static void print_amount(const uint32_t *amount)
{
    for (int kind = 0; kind < KINDS; kind++)
        printf(" %2u", amount[kind]);
}

static void print_state(void)
{
    uint32_t available[KINDS];

    printf("      claimed  held     may still want\n");
    for (int i = 0; i < CUSTOMERS; i++) {
        uint32_t need[KINDS];
        for (int kind = 0; kind < KINDS; kind++)
            need[kind] = claims[i][kind] - held[i][kind];
        printf("P%d   ", i);
        print_amount(claims[i]);
        print_amount(held[i]);
        print_amount(need);
        printf("\n");
    }
    mt_banker_available(bank, available);
    printf("free ");
    print_amount(available);
    printf("\n");
}

static int print_sequence(int *sequence)
{
    int count = mt_banker_is_safe(bank, sequence, CUSTOMERS);

    if (count < 0)
        return count;
    printf("safe: all can end, in the order");
    for (int i = 0; i < count; i++)
        printf(" P%d", sequence[i]);
    printf("\n");
    return 0;
}

/* Asks for it, and checks the answer. */
static int ask(int customer, uint32_t a, uint32_t b, uint32_t c, int expected)
{
    const uint32_t amount[KINDS] = {a, b, c};
    int err = mt_banker_request(bank, customer, amount, MT_NOWAIT);

    printf("P%d asks for", customer);
    print_amount(amount);
    switch (err) {
    case 0:
        printf(": granted\n");
        break;
    case -EBUSY:
        printf(": not now\n");
        break;
    case -E2BIG:
        printf(": never\n");
        break;
    default:
        printf(": %s\n", strerror(-err));
    }
    for (int kind = 0; kind < KINDS && !err; kind++)
        held[customer][kind] += amount[kind];
    return err == expected ? 0 : -1;
}

/* Each takes all it has claimed, and goes. */
static int serve_all(const int *sequence)
{
    for (int i = 0; i < CUSTOMERS; i++) {
        uint32_t need[KINDS];
        int err, customer = sequence[i];
        for (int kind = 0; kind < KINDS; kind++)
            need[kind] = claims[customer][kind] - held[customer][kind];
        if ((err = mt_banker_request(bank, customer, need, MT_NOWAIT)) < 0 ||
            (err = mt_banker_leave(bank, customer)) < 0)
            return err;
        printf("P%d got all it wanted, and gave it back\n", customer);
    }
    return 0;
}

int main(void)
{
    int sequence[CUSTOMERS], err = open_bank();

    if (err) {
        fprintf(stderr, "banker: cannot open the bank: %s\n", strerror(-err));
        return 1;
    }
    print_state();
    err = print_sequence(sequence) || ask(1, 1, 0, 2, 0) || print_sequence(sequence);
    if (!err) {
        err = ask(4, 3, 3, 0, -EBUSY);
        printf("  so much is not there\n");
    }
    if (!err) {
        err = ask(0, 0, 2, 0, -EBUSY);
        printf("  it is there, but then nobody would be sure to end: it is not safe\n");
    }
    if (!err)
        err = ask(0, 8, 0, 0, -E2BIG);
    if (!err) {
        printf("  it is more than it has claimed\n");
        err = print_sequence(sequence) || serve_all(sequence);
    }
    mt_banker_free(bank);
    return err != 0;
}
