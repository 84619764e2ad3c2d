/* SPDX-License-Identifier: MIT
 *
 * Numbers as people read them: three significant digits, the unit that fits.
 */
#include "format.h"
#include <stdbool.h>
#include <stdio.h>

static char *next_text(void)
{
    static char ring[16][32];
    static unsigned at;
    return ring[at++ % 16];
}

/* Three significant digits. */
static const char *digits(double value, const char *unit)
{
    char *text = next_text();
    snprintf(text, 32, "%.*f%s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit);
    return text;
}

const char *format_time(uint64_t ns)
{
    double value = (double)ns;
    if (ns < 1000) {
        char *text = next_text();
        snprintf(text, 32, "%u ns", (unsigned)ns);
        return text;
    }
    if (value < 999.5e3)
        return digits(value / 1e3, " us");
    if (value < 999.5e6)
        return digits(value / 1e6, " ms");
    if (value < 119.5e9)
        return digits(value / 1e9, " s");
    char *text = next_text();
    uint64_t seconds = ns / 1000000000;
    if (seconds < 7200)
        snprintf(text, 32, "%u min %u s", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
    else
        snprintf(text, 32, "%u h %u min", (unsigned)(seconds / 3600), (unsigned)(seconds / 60 % 60));
    return text;
}

const char *format_share(double share)
{
    char *text = next_text();
    double percent = share * 100;
    if (percent > 0 && percent < 0.1)
        return "<0.1 %";
    snprintf(text, 32, "%.*f %%", percent > 0 && percent < 9.95 ? 1 : 0, percent);
    return text;
}

const char *format_count(uint64_t count)
{
    if (count < 10000) {
        char *text = next_text();
        snprintf(text, 32, "%u", (unsigned)count);
        return text;
    }
    double value = (double)count;
    return value < 999.5e3   ? digits(value / 1e3, " k")
           : value < 999.5e6 ? digits(value / 1e6, " M")
                             : digits(value / 1e9, " G");
}

/* Bytes of the UTF-8 character that text begins with, 0: it begins with none. */
static int character_length(const unsigned char *text)
{
    uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}, code = text[0];
    int length = code < 0x80 ? 1 : code >> 5 == 6 ? 2 : code >> 4 == 14 ? 3 : code >> 3 == 30 ? 4 : 0;
    if (length < 2)
        return length;
    code &= 0x7fu >> length;
    for (int i = 1; i < length; i++) {
        if (text[i] >> 6 != 2)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    bool control = code < 0xa0, surrogate = code >> 11 == 0x1b;
    return code < least[length] || code > 0x10ffff || control || surrogate ? 0 : length;
}

void format_clean(char *text)
{
    while (*text) {
        int length = character_length((const unsigned char *)text);
        if (!length || (length == 1 && ((unsigned char)*text < ' ' || *text == 127))) {
            *text = '?';
            length = 1;
        }
        text += length;
    }
}
