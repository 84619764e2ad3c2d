/* SPDX-License-Identifier: MIT
 *
 * The greeting. Both sides first say a hello: what language, whether they have a key, and 32 random bytes of their own.
 * With a key, each then proves that it knows it, by HMAC-SHA-256 (RFC 2104) of its role and both random values: the
 * role, so that a proof cannot be sent back to who made it; both values, so that none can be used again. The client
 * proves first: one who only wants to collect proofs gets none.
 *
 * The HMAC is libcrypto's, found when the first key is used: a program without keys does not load it.
 */
#include "base/clock.h"
#include "process/conn.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define NONCE 32
#define PROOF 32

struct hello {
    char language[8];
    uint8_t keyed;
    uint8_t zero[7];
    uint8_t nonce[NONCE];
};

static const char language[8] = "linuxmt1";

/* -- libcrypto ---------------------------------------------------------------------------------------------------- */

static struct {
    const void *(*sha256)(void);
    unsigned char *(*hmac)(const void *digest, const void *key, int key_size, const unsigned char *data, size_t size,
                           unsigned char *to, unsigned *to_size);
    int (*compare)(const void *a, const void *b, size_t size); /* in a time that tells nothing */
} crypto;

static void load(void)
{
    void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);

    if (!library)
        library = dlopen("libcrypto.so.1.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
    crypto.sha256 = (const void *(*)(void))dlsym(library, "EVP_sha256");
    crypto.compare = (int (*)(const void *, const void *, size_t))dlsym(library, "CRYPTO_memcmp");
    *(void **)&crypto.hmac = dlsym(library, "HMAC");
}

int mt__conn_can_prove(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    return crypto.sha256 && crypto.compare && crypto.hmac;
}

static int prove(const void *key, size_t key_size, char role, const struct hello *client, const struct hello *server,
                 uint8_t *proof)
{
    uint8_t data[1 + 2 * NONCE];
    unsigned size = PROOF;

    data[0] = (uint8_t)role;
    memcpy(data + 1, client->nonce, NONCE);
    memcpy(data + 1 + NONCE, server->nonce, NONCE);
    return crypto.hmac(crypto.sha256(), key, (int)key_size, data, sizeof data, proof, &size) && size == PROOF ? 0
                                                                                                              : -EIO;
}

/* -- The talk ----------------------------------------------------------------------------------------------------- */

static int send_all(struct mt_conn *conn, const void *data, size_t size, mt_deadline deadline)
{
    size_t done = 0;

    while (done < size) {
        ssize_t sent = send(conn->fd, (const char *)data + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        int error = 0;
        if (sent >= 0)
            done += (size_t)sent;
        else if (errno == EAGAIN)
            error = mt__conn_wait_fd(conn->fd, POLLOUT, deadline);
        else if (errno != EINTR)
            error = errno == EPIPE ? -ECONNRESET : -errno;
        if (error)
            return error;
    }
    return 0;
}

static int receive_all(struct mt_conn *conn, void *data, size_t size, mt_deadline deadline)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = recv(conn->fd, (char *)data + done, size - done, MSG_DONTWAIT);
        int error = 0;
        if (got > 0)
            done += (size_t)got;
        else if (got == 0)
            error = -ECONNRESET;
        else if (errno == EAGAIN)
            error = mt__conn_wait_fd(conn->fd, POLLIN, deadline);
        else if (errno != EINTR)
            error = -errno;
        if (error)
            return error;
    }
    return 0;
}

static int exchange_hellos(struct mt_conn *conn, struct hello *mine, struct hello *theirs, mt_deadline deadline)
{
    int result;

    memcpy(mine->language, language, sizeof mine->language);
    if (getrandom(mine->nonce, NONCE, 0) != NONCE)
        return -EIO;
    result = send_all(conn, mine, sizeof *mine, deadline);
    if (!result) /* the language first: who speaks another may never send that much */
        result = receive_all(conn, theirs->language, sizeof theirs->language, deadline);
    if (!result && memcmp(theirs->language, language, sizeof language) != 0)
        return -EPROTO;
    if (!result)
        result = receive_all(conn, &theirs->keyed, sizeof *theirs - sizeof theirs->language, deadline);
    if (!result && (theirs->keyed > 1 || memcmp(theirs->zero, mine->zero, sizeof mine->zero) != 0))
        return -EPROTO;
    if (!result && theirs->keyed != mine->keyed)
        return -EPROTONOSUPPORT;
    return result;
}

static int check_theirs(struct mt_conn *conn, const void *key, size_t key_size, char role, const struct hello *client,
                        const struct hello *server, mt_deadline deadline)
{
    uint8_t wanted[PROOF], got[PROOF];
    int result = prove(key, key_size, role, client, server, wanted);

    if (!result)
        result = receive_all(conn, got, sizeof got, deadline);
    if (result == -ECONNRESET) /* it did not like ours and left */
        return -EACCES;
    return result ? result : crypto.compare(wanted, got, PROOF) ? -EACCES : 0;
}

static int send_mine(struct mt_conn *conn, const void *key, size_t key_size, char role, const struct hello *client,
                     const struct hello *server, mt_deadline deadline)
{
    uint8_t proof[PROOF];
    int result = prove(key, key_size, role, client, server, proof);

    return result ? result : send_all(conn, proof, sizeof proof, deadline);
}

int mt__conn_greet(struct mt_conn *conn, const void *key, size_t key_size, int server, mt_deadline deadline)
{
    struct hello mine = {.keyed = key != NULL}, theirs;
    int result = exchange_hellos(conn, &mine, &theirs, deadline);

    if (result || !key)
        return result;
    if (server) {
        result = check_theirs(conn, key, key_size, 'c', &theirs, &mine, deadline);
        return result ? result : send_mine(conn, key, key_size, 's', &theirs, &mine, deadline);
    }
    result = send_mine(conn, key, key_size, 'c', &mine, &theirs, deadline);
    return result ? result : check_theirs(conn, key, key_size, 's', &mine, &theirs, deadline);
}
