/* SPDX-License-Identifier: MIT
 *
 * Inside the room: libc's streams. Their functions read and write inside libc, where nothing of ours is called, so each
 * name is looked at before it goes there:
 *
 *   MT__DIRECT   what it needs is in the stream's buffer, or its file does not wait: the call is made here
 *   MT__OFF      it may have to wait in the middle (for the rest of a line, for room): it is made off the hub
 *
 * Before either, a stream that has nothing is waited for in the hub, which can be cancelled. A stream that another
 * thread holds is used off the hub; one that the caller itself has locked (flockfile) can only be used here.
 */
#ifndef PATCH_STREAM_H
#define PATCH_STREAM_H

#include "patch/fd.h"

#include <limits.h>
#include <stdio.h>
#include <wchar.h>

enum { MT__DIRECT = 0, MT__OFF = 1 };

/* To be between begin and end. `enough`: what is in the buffer will do. Also -errno. */
int mt__stream_input(FILE *stream, int enough, int one_byte, enum mt__name_number number);

/* The same for `count` characters of a wide stream. */
int mt__stream_output_wide(FILE *stream, size_t count, enum mt__name_number number);

/* `size` bytes are to be written; flush: what is in the buffer, too. Also -errno. */
int mt__stream_output(FILE *stream, size_t size, int flush, enum mt__name_number number);

static inline size_t mt__stream_available(const FILE *stream)
{
    return (size_t)(stream->_IO_read_end - stream->_IO_read_ptr);
}

/* The characters of a wide stream, as far as they are of interest. */
struct mt__wide {
    wchar_t *read_ptr, *read_end, *read_base, *write_base, *write_ptr, *write_end, *buf_base, *buf_end;
};

static inline const struct mt__wide *mt__wide(const FILE *stream) /* NULL: it is none, or not yet */
{
    return stream->_mode > 0 ? (const struct mt__wide *)stream->_wide_data : NULL;
}

static inline size_t mt__wide_available(const FILE *stream)
{
    const struct mt__wide *wide = mt__wide(stream);

    return wide ? (size_t)(wide->read_end - wide->read_ptr) : 0;
}

static inline size_t mt__wide_pending(const FILE *stream)
{
    const struct mt__wide *wide = mt__wide(stream);

    return wide && wide->write_ptr > wide->write_base ? (size_t)(wide->write_ptr - wide->write_base) : 0;
}

/* Bytes; of characters, as many as they may become. */
static inline size_t mt__stream_pending(const FILE *stream)
{
    size_t bytes =
        stream->_IO_write_ptr > stream->_IO_write_base ? (size_t)(stream->_IO_write_ptr - stream->_IO_write_base) : 0;

    return bytes + mt__wide_pending(stream) * MB_LEN_MAX;
}

#endif
