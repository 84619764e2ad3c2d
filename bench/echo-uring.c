/* SPDX-License-Identifier: MIT
 *
 * An echo server by io_uring with what it has to offer: one accept and one receive a connection that go on and on
 * (multishot), buffers that the kernel picks from a ring, descriptors that only the ring knows, completions made when
 * they are asked for, and one system call for all that has gathered. Bytes are sent from the buffer that they came in,
 * which goes back when they are gone; of a connection one send is under way at a time, as two might change places.
 */
#include "echo-server.h"

#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdlib.h>

enum { BUFFERS = 4096, NONE = 0xffff, ACCEPT = 1, RECEIVE, SEND, CLOSE };

struct connection {
    uint16_t first, last; /* buffers to be sent; the first one is under way */
    uint8_t ended;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char memory[BUFFERS][ECHO_BUFFER];
static struct {
    uint16_t next;
    uint32_t length;
} queued[BUFFERS];
static struct connection connections[ECHO_DESCRIPTORS];

static struct io_uring_sqe *entry(unsigned what, unsigned index)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    while (!sqe) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    sqe->user_data = (uint64_t)what << 32 | index; /* the preparations leave it alone */
    return sqe;
}

static void accept_all(void)
{
    io_uring_prep_multishot_accept_direct(entry(ACCEPT, 0), ECHO_LISTENER, NULL, NULL, 0);
}

static void receive(unsigned index)
{
    struct io_uring_sqe *sqe = entry(RECEIVE, index);

    io_uring_prep_recv_multishot(sqe, (int)index, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
}

static void send_first(unsigned index)
{
    struct io_uring_sqe *sqe = entry(SEND, index);
    unsigned buffer = connections[index].first;

    io_uring_prep_send(sqe, (int)index, memory[buffer], queued[buffer].length, MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
}

static void end_if_idle(unsigned index)
{
    if (connections[index].ended && connections[index].first == NONE)
        io_uring_prep_close_direct(entry(CLOSE, index), index);
}

static void accepted(int result, unsigned flags)
{
    if (result >= 0) {
        connections[result] = (struct connection){.first = NONE};
        receive((unsigned)result);
    }
    if (!(flags & IORING_CQE_F_MORE))
        accept_all();
}

static void received(unsigned index, int result, unsigned flags)
{
    struct connection *connection = &connections[index];
    uint16_t buffer = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);

    if (result <= 0 && result != -ENOBUFS) {
        connection->ended = 1;
        end_if_idle(index);
        return;
    }
    if (!(flags & IORING_CQE_F_MORE))
        receive(index);
    if (result < 0)
        return;
    queued[buffer].next = NONE;
    queued[buffer].length = (uint32_t)result;
    if (connection->first != NONE) {
        queued[connection->last].next = buffer;
        connection->last = buffer;
        return;
    }
    connection->first = connection->last = buffer;
    send_first(index);
}

static void sent(unsigned index, int result)
{
    struct connection *connection = &connections[index];
    uint16_t buffer = connection->first;

    connection->first = queued[buffer].next;
    io_uring_buf_ring_add(buffers, memory[buffer], ECHO_BUFFER, buffer, BUFFERS - 1, 0);
    io_uring_buf_ring_advance(buffers, 1);
    if (connection->first != NONE)
        send_first(index);
    end_if_idle(index);
}

static int prepare(void)
{
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE, .cq_entries = 16384};
    struct io_uring_buf_reg registration = {.ring_entries = BUFFERS};

    if (io_uring_queue_init_params(4096, &ring, &parameters) ||
        posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)))
        return 1;
    io_uring_register_ring_fd(&ring);
    registration.ring_addr = (uintptr_t)buffers;
    if (io_uring_register_files_sparse(&ring, ECHO_DESCRIPTORS) || io_uring_register_buf_ring(&ring, &registration, 0))
        return 1;
    io_uring_buf_ring_init(buffers);
    for (unsigned short i = 0; i < BUFFERS; i++)
        io_uring_buf_ring_add(buffers, memory[i], ECHO_BUFFER, i, BUFFERS - 1, i);
    io_uring_buf_ring_advance(buffers, BUFFERS);
    return 0;
}

int main(void)
{
    struct io_uring_cqe *cqe;
    unsigned head;

    if (prepare())
        return 1;
    accept_all();
    for (;;) {
        unsigned count = 0;
        int result = io_uring_submit_and_wait(&ring, 1);
        if (result < 0 && result != -EINTR && result != -EBUSY)
            return 1;
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            unsigned index = (unsigned)cqe->user_data;
            count++;
            if (cqe->user_data >> 32 == ACCEPT)
                accepted(cqe->res, cqe->flags);
            else if (cqe->user_data >> 32 == RECEIVE)
                received(index, cqe->res, cqe->flags);
            else if (cqe->user_data >> 32 == SEND)
                sent(index, cqe->res);
        }
        io_uring_cq_advance(&ring, count);
    }
}
