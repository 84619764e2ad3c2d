/* SPDX-License-Identifier: MIT
 *
 * json-get FILE PATH: prints one value of a JSON file. A path is steps with slashes between: the name of a member, the
 * number of an element, NAME=VALUE for the first element whose member NAME is or contains VALUE, or # for the number of
 * elements. Exit status 1 if there is no such value.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int matches(json_t *element, const char *name, const char *value)
{
    json_t *member = json_object_get(element, name);
    char number[32];
    if (json_is_string(member))
        return strstr(json_string_value(member), value) != NULL;
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(member));
    return json_is_integer(member) && !strcmp(number, value);
}

static json_t *find_element(json_t *array, char *step)
{
    char *value = strchr(step, '=');
    size_t i;
    json_t *element;
    *value++ = 0;
    json_array_foreach(array, i, element)
    {
        if (matches(element, step, value))
            return element;
    }
    return NULL;
}

static json_t *take_step(json_t *at, char *step)
{
    if (json_is_object(at))
        return json_object_get(at, step);
    if (json_is_array(at) && !strcmp(step, "#"))
        return json_integer((json_int_t)json_array_size(at));
    if (json_is_array(at) && strchr(step, '='))
        return find_element(at, step);
    return json_array_get(at, (size_t)atol(step));
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *at = argc == 3 ? json_load_file(argv[1], 0, &error) : NULL;
    if (!at) {
        fprintf(stderr, "json-get: %s\n", argc == 3 ? error.text : "Usage: json-get FILE PATH");
        return 2;
    }
    for (char *step = strtok(argv[2], "/"); at && step; step = strtok(NULL, "/"))
        at = take_step(at, step);
    if (!at)
        return 1;
    if (json_is_string(at))
        puts(json_string_value(at));
    else
        json_dumpf(at, stdout, JSON_ENCODE_ANY | JSON_COMPACT), putchar('\n');
    return 0;
}
