/* SPDX-License-Identifier: MIT
 *
 * A generator that walks a tree: what would be a state machine, or a callback, reads as the recursion that it is. Its
 * user stops half way, and the walker cleans up behind itself.
 */
#include <linuxmt.h>
#include <stdio.h>
#include <string.h>

struct node {
    int key;
    struct node *left, *right;
};

/* In order. Whoever asks for the next key goes on in the midst of the recursion. */
static int walk(struct mt_generator *self, void *arg)
{
    struct node *node = arg;
    int err;

    if (!node)
        return 0;
    if ((err = walk(self, node->left)) || (err = mt_yield(self, &node->key, NULL)))
        return err;
    return walk(self, node->right);
}

static struct mt_iter *keys(struct node *tree)
{
    return mt_generator_iter(mt_generator_new(walk, tree, sizeof(int), NULL));
}

/* Whether two trees have the same keys, however they are shaped: two walks side by side. */
static int same_keys(struct node *one, struct node *other)
{
    struct mt_iter *both[] = {keys(one), keys(other)}, *pairs = mt_iter_zip(both, 2);
    const void *pair[2];
    int same = 1, err = pairs ? 0 : -1;

    while (!err && same && !(err = mt_iter_next(pairs, pair)))
        same = *(const int *)pair[0] == *(const int *)pair[1];
    mt_iter_close(pairs);
    return err < 0 ? err : same;
}

int main(void)
{
    struct node a[] = {{4, &a[1], &a[2]}, {2, &a[3], NULL}, {6, NULL, NULL}, {1, NULL, NULL}};
    struct node b[] = {{1, NULL, &b[1]}, {2, NULL, &b[2]}, {4, NULL, &b[3]}, {6, NULL, NULL}};
    int err;

    mt_foreach (int, key, keys(&a[0]), &err) {
        printf("%d\n", key);
        if (key == 4)
            break; /* the walker is closed */
    }
    if (err) {
        fprintf(stderr, "generator: %s\n", strerror(-err));
        return 1;
    }
    printf("the trees have %s keys\n", same_keys(&a[0], &b[0]) == 1 ? "the same" : "different");
    return 0;
}
