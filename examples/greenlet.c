/* SPDX-License-Identifier: MIT
 *
 * Greenlets: a parser that reads as if it called for its input, and is fed piece by piece as that arrives; and how one
 * is ended half way.
 */
#include <errno.h>
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mt_greenlet *feeder;

/* The next byte, for which it may switch to the feeder; or -errno. */
static int next_byte(const char **piece)
{
    while (!**piece) {
        void *more;
        int err = mt_greenlet_switch(feeder, NULL, &more);
        if (err)
            return err;
        *piece = more;
    }
    return (unsigned char)*(*piece)++;
}

/* Adds up numbers between commas until a full stop. */
static int parse(void *arg, void **value)
{
    long *sum = malloc(sizeof *sum), number = 0;
    const char *piece = *value;
    int byte;

    if (!sum)
        return -ENOMEM;
    *sum = 0;
    while ((byte = next_byte(&piece)) >= 0 && byte != '.') {
        if (byte == ',') {
            *sum += number;
            number = 0;
        } else if (byte >= '0' && byte <= '9') {
            number = number * 10 + byte - '0';
        } else {
            byte = -EILSEQ;
            break;
        }
    }
    if (byte < 0) {
        printf("the parser ends early: %s\n", strerror(-byte));
        free(sum);
        return byte;
    }
    *sum += number;
    *value = sum;
    return 0;
}

static int feed(const char *const *pieces, size_t count)
{
    struct mt_greenlet_options options = {.name = "parser"};
    struct mt_greenlet *parser = mt_greenlet_new(parse, NULL, &options);
    void *result = NULL;
    int err = parser ? 0 : -errno;

    for (size_t i = 0; i < count && !err; i++)
        err = mt_greenlet_switch(parser, (void *)pieces[i], &result);
    if (result) {
        printf("the sum is %ld\n", *(long *)result);
        free(result);
    }
    mt_greenlet_free(parser); /* if it still waits for input, it ends now */
    return err;
}

int main(void)
{
    static const char *const whole[] = {"1,", "20", "0,3", "000."}, *const cut[] = {"1,2"}, *const wrong[] = {"1,x."};

    feeder = mt_greenlet_current();
    if (!feeder || feed(whole, 4) || feed(cut, 1))
        return 1;
    return feed(wrong, 1) != -EILSEQ; /* the error came up to here */
}
