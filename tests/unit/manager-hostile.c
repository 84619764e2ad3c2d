/* SPDX-License-Identifier: MIT
 *
 * Clients that send anything: the server ends their connections, tells them why where it can, and nobody else notices.
 * What they send is random, but begins like requests do often enough to get deep; the seed is printed.
 */
#include "manager-unit.h"
#include "manager/client.h"

#include <sys/socket.h>

static struct mt_manager *owner;
static struct mt_managed_dict *witness; /* of somebody who behaves */

static int set_up(void **state)
{
    owner = start_with((struct mt_manager_options){.message_max = 4096, .memory = 1 << 20, .objects = 32});
    witness = mt_manager_dict(owner, "witness", 0, SOON);
    assert_int_equal(mt_managed_dict_set(witness, "saw", "nothing", 8, SOON), 0);
    return 0;
}

static int tear_down(void **state)
{
    char text[16] = "";

    assert_int_equal(mt_managed_dict_get(witness, "saw", text, sizeof text, SOON), 8);
    assert_string_equal(text, "nothing");
    assert_true(mt_task_is_alive(mt_manager_task(owner)));
    mt_managed_dict_free(witness);
    mt_manager_close(owner);
    return 0;
}

/* Those who came have gone again, and nothing of them has stayed. */
static void until_alone(void)
{
    struct mt_manager_info info = {0};

    for (int i = 0; i < 4000; i++) {
        assert_int_equal(mt_manager_info(owner, &info, SOON), 0);
        if (info.connections <= 1)
            return;
        usleep(5000);
    }
    fail_msg("%u connections have stayed", info.connections);
}

static struct mt_conn *come(void)
{
    struct mt_conn *conn = mt_conn_connect(mt_manager_address(owner), NULL, 0, SOON);

    assert_non_null(conn);
    return conn;
}

static void pack_hello(struct mt__pack *pack, uint32_t language)
{
    mt__request(pack, MT__OP_HELLO, 0, 0);
    mt__pack_u32(pack, language);
}

static int send_pack(struct mt_conn *conn, struct mt__pack *pack)
{
    int error = mt_conn_send(conn, pack->data, pack->size, SOON);

    mt__pack_free(pack);
    return error;
}

/* What a reply says: its result and its text. */
static uint64_t first_number; /* behind the result */

static int64_t reply_of(struct mt_conn *conn, char *text, size_t room)
{
    unsigned char data[8192];
    ssize_t size = mt_conn_receive(conn, data, sizeof data, SOON);
    struct mt__unpack body = {data, size < 0 ? 0 : (size_t)size, 0};
    int64_t result = (int64_t)mt__unpack_u64(&body);
    struct mt__unpack number = body;
    size_t length;
    const char *said = mt__unpack_value(&body, &length);

    first_number = mt__unpack_u64(&number);
    if (size < 0)
        return size;
    snprintf(text, room, "%.*s", result < 0 ? (int)length : 0, said);
    return result;
}

static struct mt_conn *come_in(void)
{
    struct mt_conn *conn = come();
    struct mt__pack pack = {0};
    char text[300];

    pack_hello(&pack, MT__MANAGER_LANGUAGE);
    assert_int_equal(send_pack(conn, &pack), 0);
    assert_int_equal(reply_of(conn, text, sizeof text), 0);
    return conn;
}

/* Sends it, and wants to be told so, and to be sent away. */
static void assert_refused(struct mt_conn *conn, struct mt__pack *pack, const char *why)
{
    char text[300] = "";

    assert_int_equal(send_pack(conn, pack), 0);
    assert_int_equal(reply_of(conn, text, sizeof text), -EPROTO);
    if (!strstr(text, why))
        fail_msg("it said \"%s\", not \"%s\"", text, why);
    assert_int_equal(reply_of(conn, text, sizeof text), -EPIPE);
    mt_conn_close(conn);
}

static void wrong_requests(void **state)
{
    struct mt__pack pack = {0};
    struct mt_conn *conn;

    mt__request(&pack, MT__OP_INFO, 0, 0);
    assert_refused(come(), &pack, "greeted first");
    pack_hello(&pack, 99);
    assert_refused(come(), &pack, "version 1, not 99");
    mt__pack_bytes(&pack, "xyz", 3);
    assert_refused(come_in(), &pack, "too short");
    mt__request(&pack, MT__OPS, 0, 0);
    assert_refused(come_in(), &pack, "no request");
    mt__request(&pack, 255, 0, 0);
    assert_refused(come_in(), &pack, "no request 255");
    pack_hello(&pack, MT__MANAGER_LANGUAGE);
    assert_refused(come_in(), &pack, "no request");
    mt__request(&pack, MT__OP_GET, 0, witness->of.id);
    assert_refused(come_in(), &pack, "none for \"witness\"");
    mt__request(&pack, MT__OP_DICT_GET, 0, witness->of.id);
    assert_refused(come_in(), &pack, "");
    mt__request(&pack, MT__OP_DICT_LEN, 0, witness->of.id);
    mt__pack_u8(&pack, 0);
    assert_refused(come_in(), &pack, "");
    mt__request(&pack, MT__OP_DICT_SET, 0, witness->of.id);
    mt__pack_text(&pack, "key");
    mt__pack_u32(&pack, UINT32_MAX);
    assert_refused(come_in(), &pack, "");
    mt__request(&pack, MT__OP_DICT_SET, 0, witness->of.id);
    mt__pack_value(&pack, "k\0y", 3);
    mt__pack_text(&pack, "value");
    assert_refused(come_in(), &pack, "");
    mt__request(&pack, MT__OP_OPEN, 0, 0);
    mt__pack_u8(&pack, MT__MANAGED_KINDS);
    mt__pack_text(&pack, "x");
    assert_refused(come_in(), &pack, "");

    conn = come_in(); /* larger than it takes: no more is read */
    mt__request(&pack, MT__OP_DICT_SET, 0, witness->of.id);
    while (pack.size < 4096 + MT__REQUEST_ROOM + 1)
        mt__pack_u8(&pack, 'x');
    assert_int_equal(send_pack(conn, &pack), 0);
    assert_true(mt_conn_next_size(conn, SOON) < 0);
    mt_conn_close(conn);
    conn = come_in(); /* a descriptor, which nobody has asked for */
    assert_int_equal(mt_conn_send_fd(conn, 0, SOON), 0);
    assert_true(mt_conn_next_size(conn, SOON) < 0);
    mt_conn_close(conn);
    until_alone();
}

/* An id that was never given, or by a guess. */
static void wrong_ids(void **state)
{
    struct mt_conn *conn = come_in();
    struct mt__pack pack = {0};
    char text[300];

    for (int i = 0; i < 64; i++) {
        mt__request(&pack, MT__OP_DICT_LEN, 0, witness->of.id ^ (uint64_t)1 << i);
        assert_int_equal(send_pack(conn, &pack), 0);
        assert_int_equal(reply_of(conn, text, sizeof text), -ESTALE);
    }
    mt_conn_close(conn);
    until_alone();
}

/* -- At random ---------------------------------------------------------------------------------------------------- */

static unsigned seed;

static unsigned random_below(unsigned limit)
{
    return (unsigned)rand_r(&seed) % limit;
}

static void pack_noise(struct mt__pack *pack)
{
    for (unsigned left = random_below(40); left; left--)
        mt__pack_u8(pack, random_below(256));
}

static void pack_name(struct mt__pack *pack)
{
    char name[3] = {'a', (char)('0' + random_below(MT__MANAGED_KINDS - 1)), 0};

    mt__pack_text(pack, name);
}

/* What requests want: k a name or key, v a value, else a number of so many bytes. */
static const struct {
    unsigned first, last; /* ops */
    const char *parts[12];
} shapes[MT__MANAGED_KINDS] = {
    [MT__MANAGED_NONE] = {MT__OP_TAKEN, MT__OP_INFO, {"", "1k", "k", ""}},
    [MT__MANAGED_QUEUE] = {MT__OP_PUT, MT__OP_JOIN, {"4v", "8", "", "", "", ""}},
    [MT__MANAGED_LOCK] = {MT__OP_ACQUIRE, MT__OP_RELEASE, {"", "", ""}},
    [MT__MANAGED_EVENT] = {MT__OP_EVENT_SET, MT__OP_EVENT_WAIT, {"", "", "", ""}},
    [MT__MANAGED_SEM] = {MT__OP_SEM_ACQUIRE, MT__OP_SEM_VALUE, {"", "4", ""}},
    [MT__MANAGED_COUNTER] = {MT__OP_COUNT_ADD, MT__OP_COUNT_SET, {"8", "8"}},
    [MT__MANAGED_DICT] = {MT__OP_DICT_SET, MT__OP_DICT_ITEMS, {"kv", "k", "k8", "kv", "k1vv", "k", "k", "", "", "1"}},
    [MT__MANAGED_LIST] = {MT__OP_LIST_EXTEND, MT__OP_LIST_SLICE, {"4vvv", "8v", "8v", "8", "88", "", "", "88"}},
    [MT__MANAGED_NAMESPACE] = {MT__OP_DICT_SET,
                               MT__OP_DICT_ITEMS,
                               {"kv", "k", "k8", "kv", "k1vv", "k", "k", "", "", "1"}},
    [MT__MANAGED_COND] = {MT__OP_COND_WAIT, MT__OP_COND_NOTIFY, {"", "4"}},
    [MT__MANAGED_BARRIER] = {MT__OP_BARRIER_WAIT, MT__OP_BARRIER_STATE, {"", "1", ""}},
    [MT__MANAGED_RWLOCK] = {MT__OP_RW_ACQUIRE, MT__OP_RW_RELEASE, {"1", "", "1"}},
};

static void pack_part(struct mt__pack *pack, char part)
{
    static const char value[300] = "value";

    switch (part) {
    case 'k':
        pack_name(pack);
        break;
    case 'v':
        mt__pack_value(pack, value, random_below(sizeof value));
        break;
    default:
        mt__pack_number(pack, random_below(4) ? random_below(6) : -(uint64_t)random_below(10), (unsigned)(part - '0'));
    }
}

static void pack_parts(struct mt__pack *pack, const char *parts)
{
    if (!random_below(12))
        parts = shapes[random_below(MT__MANAGED_KINDS)].parts[0];
    for (; *parts && random_below(30); parts++)
        pack_part(pack, *parts);
    if (!random_below(30))
        pack_noise(pack);
}

/* Objects that are there, or were: not the witness, which nobody may touch. */
static struct {
    uint64_t id;
    unsigned kind;
} known[16];
static unsigned known_count, granted;

static uint64_t some_id(unsigned *kind)
{
    unsigned which = random_below(16);

    *kind = random_below(MT__MANAGED_KINDS);
    if (which >= known_count || !random_below(8))
        return (uint64_t)random_below(48) << 20 | (1 + random_below(15));
    if (random_below(10))
        *kind = known[which].kind;
    return known[which].id;
}

static void flip(struct mt__pack *pack)
{
    unsigned at = random_below((unsigned)pack->size);

    if (at < 4 || at >= 20) /* else it might be the witness's id, or a long time to wait */
        pack->data[at] ^= (unsigned char)(1u << random_below(8));
}

/* Timeouts are short: it waits for nobody. Returns the kind that it wants to open, if it does. */
static unsigned pack_request(struct mt__pack *pack)
{
    unsigned kind, which, op;
    uint64_t id = some_id(&kind);

    if (!random_below(6))
        kind = MT__MANAGED_NONE;
    which = random_below(shapes[kind].last - shapes[kind].first + 1);
    op = random_below(30) ? shapes[kind].first + which : random_below(256);
    mt__pack_u8(pack, op);
    mt__pack_u8(pack, 0);
    mt__pack_number(pack, random_below(4) ? MT__REQUEST_NOWAIT : 0, 2);
    mt__pack_u64(pack, id);
    mt__pack_u64(pack, random_below(100000));
    if (op == MT__OP_OPEN) {
        kind = random_below(30) ? 1 + random_below(MT__MANAGED_KINDS - 1) : random_below(256);
        mt__pack_u8(pack, kind);
        if (random_below(8)) /* mostly the same name for the same kind */
            mt__pack_value(pack, (char[]){'a', (char)('0' + (kind - 1) % (MT__MANAGED_KINDS - 1))}, 2);
        else
            pack_name(pack);
        if (kind == MT__MANAGED_QUEUE && random_below(8)) {
            mt__pack_u32(pack, random_below(4));
            mt__pack_u32(pack, random_below(2) ? random_below(50) : UINT32_MAX - random_below(3));
            mt__pack_u32(pack, random_below(2) ? random_below(500) : UINT32_MAX - random_below(3));
            mt__pack_u64(pack, random_below(2) ? 0 : (uint64_t)random_below(1000) << random_below(60));
        } else if ((kind == MT__MANAGED_SEM || kind == MT__MANAGED_BARRIER) && random_below(8)) {
            mt__pack_u32(pack, random_below(3));
        }
    } else {
        pack_parts(pack, shapes[kind].parts[which]);
    }
    if (!random_below(20))
        flip(pack);
    if (!random_below(50))
        pack->size = random_below((unsigned)pack->size);
    return op == MT__OP_OPEN ? kind : 0;
}

/* After a reply that hands something over, what follows is told that it was taken, or is not. */
static void say_taken(struct mt_conn *conn)
{
    struct mt__pack pack = {0};

    mt__request(&pack, MT__OP_TAKEN, 0, 0);
    (void)!send_pack(conn, &pack);
}

static int hands_over(unsigned op)
{
    return op == MT__OP_GET || op == MT__OP_ACQUIRE || op == MT__OP_SEM_ACQUIRE || op == MT__OP_RW_ACQUIRE;
}

/* Talks until it is sent away, or has enough, or goes in the middle. */
static unsigned talk(void)
{
    struct mt_conn *conn = come_in();
    unsigned requests = 0;

    while (random_below(30)) {
        struct mt__pack pack = {0};
        char text[300];
        int64_t result;
        unsigned opens = pack_request(&pack), op = pack.data[0];
        requests++;
        if (send_pack(conn, &pack) || !random_below(20))
            break;
        while (mt_conn_next_size(conn, in_time()) == -EBADMSG) {
            int fd = mt_conn_receive_fd(conn, SOON);
            if (fd >= 0)
                close(fd);
        }
        result = reply_of(conn, text, sizeof text);
        if (result == -EPIPE)
            break;
        granted += result >= 0;
        if (result >= 0 && op == MT__OP_OPEN && opens && opens < MT__MANAGED_KINDS) {
            known[known_count % 16].id = first_number;
            known[known_count++ % 16].kind = opens;
        }
        if (hands_over(op) && (result >= 0 || result == -EOWNERDEAD)) {
            if (!random_below(4))
                break; /* any other request would end it too */
            say_taken(conn);
        }
    }
    mt_conn_close(conn);
    return requests;
}

static void requests_at_random(void **state)
{
    struct mt_manager_info info;
    char name[3] = "a0", text[16] = "";
    unsigned requests = 0, wanted = SANITIZER ? 3000 : 20000;

    seed = (unsigned)getpid();
    print_message("# seed %u\n", seed);
    while (requests < wanted) {
        requests += talk();
        if (requests % 16 == 0) {
            assert_int_equal(mt_managed_dict_get(witness, "saw", text, sizeof text, SOON), 8);
            assert_string_equal(text, "nothing");
        }
    }
    until_alone();
    for (int i = 0; i < 8; i++) {
        name[1] = (char)('0' + i);
        (void)!mt_manager_remove(owner, name, SOON);
    }
    assert_int_equal(mt_manager_info(owner, &info, SOON), 0);
    assert_true(granted > wanted / 10); /* it gets further than the door */
    print_message("# %u requests, %u granted; %u objects, %llu bytes\n", requests, granted, info.objects,
                  (unsigned long long)info.memory);
    assert_true(info.memory <= 1 << 20); /* names with a flipped bit are still there */
}

/* Bytes that are no frames at all, from before the greeting on. */
static void bytes_at_random(void **state)
{
    for (int i = 0; i < (SANITIZER ? 50 : 300); i++) {
        struct mt_conn *conn = random_below(2) ? come() : come_in();
        unsigned char bytes[64];
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (unsigned char)random_below(256);
        if (random_below(2))
            memcpy(bytes, "MT\1", 4);
        (void)!send(mt_conn_fd(conn), bytes, sizeof bytes, MSG_NOSIGNAL);
        mt_conn_close(conn);
    }
    until_alone();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_requests),
        cmocka_unit_test(wrong_ids),
        cmocka_unit_test(requests_at_random),
        cmocka_unit_test(bytes_at_random),
    };

    mt_process_init();
    return cmocka_run_group_tests_name(__BASE_FILE__, tests, set_up, tear_down);
}
