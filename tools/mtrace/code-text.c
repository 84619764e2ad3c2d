/* SPDX-License-Identifier: MIT
 *
 * One pass from left to right: arguments of templates and parameters of functions that are longer than a word are left
 * out, outermost first, so that what is kept has no brackets to pair any more. The type that an instance of a template
 * begins with goes when the function's own parameters show where its name ends.
 */
#include "code-text.h"
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define TEXTS          8
#define TEXT_SIZE      512
#define ARGUMENTS_MAX  16 /* bytes between the brackets of a template that are kept, */
#define PARAMETERS_MAX 24 /* and between those of a function */

struct text {
    char *at;
    size_t used;
};

static void put(struct text *text, const char *from, size_t length)
{
    if (length > TEXT_SIZE - 1 - text->used)
        length = TEXT_SIZE - 1 - text->used;
    memcpy(text->at + text->used, from, length);
    text->used += length;
}

static bool in_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The length of "operator" with the brackets that belong to its name, 0: there is none. */
static size_t operator_length(const char *begin, const char *at)
{
    static const char *const names[] = {"<<=", ">>=", "<=>", "->*", "<<", ">>", "<=", ">=", "->", "()", "<", ">", " "};
    const size_t length = strlen("operator");
    if ((at > begin && in_name(at[-1])) || strncmp(at, "operator", length))
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(at + length, names[i], strlen(names[i])))
            return length + strlen(names[i]);
    return 0;
}

/* The bracket that closes the one at open; NULL if the name was cut off before. */
static const char *closing(const char *begin, const char *open)
{
    int depth = 0;
    for (const char *at = open; *at; at++) {
        size_t skip = operator_length(begin, at);
        if (skip) {
            at += skip - 1;
            continue;
        }
        if (*at == '<' || *at == '(' || *at == '{' || *at == '[')
            depth++;
        else if ((*at == '>' && at[-1] != '-') || *at == ')' || *at == '}' || *at == ']')
            depth--;
        if (!depth)
            return at;
    }
    return NULL;
}

/* What compilers add to the names of copies: ".constprop.0", ".isra.0", ".part.3", ".cold", ".lto_priv.0", and as C++'s
 * names have it " [clone .cold]". A version of a library's symbol is none of these. */
static size_t clone_length(const char *at)
{
    static const char *const suffixes[] = {".constprop", ".isra", ".part", ".cold", ".lto_priv", ".llvm"};
    if (!strncmp(at, " [clone ", 8) && strchr(at, ']'))
        return (size_t)(strchr(at, ']') + 1 - at);
    if (!strncmp(at, "[abi:", 5) && strchr(at, ']'))
        return (size_t)(strchr(at, ']') + 1 - at);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t length = strlen(suffixes[i]);
        if (strncmp(at, suffixes[i], length) || in_name(at[length]))
            continue;
        while (at[length] == '.' && isdigit((unsigned char)at[length + 1]))
            length += 1 + strspn(at + length + 1, "0123456789");
        return length;
    }
    return 0;
}

static const char nameless[] = "(anonymous namespace)"; /* is part of a name */

/* The brackets behind a name; those behind a space hold the module ("(libc.so.6)"), those before a name Rust's types.
 */
static bool opens_list(const char *begin, const char *at)
{
    return at > begin && strchr("<(", *at) && (in_name(at[-1]) || strchr(">)]}", at[-1])) &&
           strncmp(at, nameless, strlen(nameless)) != 0;
}

/* Behind the list that begins at at; the text gets it, or what stands for it. */
static const char *put_list(struct text *text, const char *at, const char *end)
{
    if (end - at - 1 > (*at == '(' ? PARAMETERS_MAX : ARGUMENTS_MAX)) {
        put(text, at, 1);
        put(text, "...", 3);
        put(text, end, 1);
    } else {
        put(text, at, (size_t)(end - at + 1));
    }
    return end + 1;
}

/* The length of what is kept as it is although it has brackets or spaces, 0: nothing is. */
static size_t whole_length(const char *begin, const char *at)
{
    size_t length = operator_length(begin, at);
    if (length && !strncmp(at + length, " <", 2)) /* a template's */
        length++;
    return length || strncmp(at, nameless, strlen(nameless)) ? length : strlen(nameless);
}

#define TYPE_ENDS '\1' /* in place of a space that may be the one behind the type */

static void shorten(struct text *text, const char *place)
{
    bool parameters = false; /* those of the function itself have been seen */
    for (const char *at = place; *at;) {
        size_t whole = whole_length(place, at), clone = clone_length(at);
        const char *end = !whole && opens_list(place, at) ? closing(place, at) : NULL;
        if (whole) {
            put(text, at, whole);
            at += whole;
        } else if (clone) {
            at += clone;
        } else if (end) {
            parameters |= *at == '(';
            at = put_list(text, at, end);
        } else {
            put(text, *at == ' ' && !parameters ? (const char[]){TYPE_ENDS} : at, 1);
            at++;
        }
    }
    text->at[text->used] = 0;
    char *type = parameters ? strrchr(text->at, TYPE_ENDS) : NULL;
    if (type)
        memmove(text->at, type + 1, strlen(type + 1) + 1);
    for (char *at = text->at; *at; at++)
        if (*at == TYPE_ENDS)
            *at = ' ';
}

const char *code_text(const char *place)
{
    static char texts[TEXTS][TEXT_SIZE];
    static unsigned next;
    struct text text = {.at = texts[next++ % TEXTS]};
    shorten(&text, place);
    return text.at;
}

const char *code_at(const char *place)
{
    return !*place ? "" : strpbrk(place, " +") ? " in " : " at ";
}
