/* SPDX-License-Identifier: MIT
 *
 * Texts that belong to a model, and its verdict as it grows.
 */
#include "model.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *model_text(struct model *model, const char *format, ...)
{
    char **texts = realloc(model->texts, (model->text_count + 1) * sizeof *texts);
    char *text;
    va_list ap;
    if (!texts)
        return "";
    model->texts = texts;
    va_start(ap, format);
    int length = vasprintf(&text, format, ap);
    va_end(ap);
    if (length < 0)
        return "";
    texts[model->text_count++] = text;
    return text;
}

void model_say(struct model *model, const char *format, ...)
{
    size_t length = strlen(model->verdict);
    va_list ap;
    va_start(ap, format);
    vsnprintf(model->verdict + length, sizeof model->verdict - length, format, ap);
    va_end(ap);
}
