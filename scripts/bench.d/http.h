/* The little HTTP/1.1 that the mock and the load client share: heads, bodies by length or in chunks, a clock. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { HEAD_MAX = 16384, READ_SIZE = 262144 };

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

/* A head is collected here, with a NUL behind it. */
struct head {
    char text[HEAD_MAX + 1];
    size_t size;
};

/* Take bytes of the head from [*at, end). 1: complete, 0: more is needed, -1: too long. */
static inline int head_feed(struct head *head, const char **at, const char *end) {
    size_t from = head->size > 3 ? head->size - 3 : 0, old = head->size;
    size_t take = (size_t)(end - *at);
    if (take > HEAD_MAX - head->size) take = HEAD_MAX - head->size;
    memcpy(head->text + head->size, *at, take);
    head->size += take;
    head->text[head->size] = 0;
    char *border = memmem(head->text + from, head->size - from, "\r\n\r\n", 4);
    if (!border) {
        *at += take;
        return head->size == HEAD_MAX ? -1 : 0;
    }
    head->size = (size_t)(border - head->text) + 4;
    head->text[head->size] = 0;
    *at += head->size - old;
    return 1;
}

/* The value of a header, up to its line's end, or NULL. *name* is given as "\r\nname:". */
static inline const char *head_value(const struct head *head, const char *name) {
    const char *found = strcasestr(head->text, name);
    if (!found) return NULL;
    found += strlen(name);
    return found + strspn(found, " \t");
}

enum body_state { LENGTH, SIZE_LINE, DATA, DATA_END, TRAILER };

struct body {
    enum body_state state;
    uint64_t left;
    size_t line; /* bytes of the current trailer line */
    int digits_over, done;
};

static inline void body_start(struct body *body, const struct head *head) {
    memset(body, 0, sizeof *body);
    const char *coding = head_value(head, "\r\ntransfer-encoding:");
    const char *length = head_value(head, "\r\ncontent-length:");
    if (coding && !strncasecmp(coding, "chunked", 7)) {
        body->state = SIZE_LINE;
    } else {
        body->state = LENGTH;
        body->left = length ? strtoull(length, NULL, 10) : 0;
        body->done = body->left == 0;
    }
}

static inline void body_size_byte(struct body *body, char byte) {
    int digit = byte >= '0' && byte <= '9'   ? byte - '0'
                : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                             : -1;
    if (byte == '\n') {
        body->state = body->left ? DATA : TRAILER;
        body->digits_over = 0;
        body->line = 0;
    } else if (digit < 0) {
        body->digits_over = 1; /* CR or an extension */
    } else if (!body->digits_over) {
        body->left = body->left * 16 + (uint64_t)digit;
    }
}

/* The next stretch of the body in [*at, end): 1 with *data and *size, 0 when the input is used up or the body done. */
static inline int body_next(struct body *body, const char **at, const char *end, const char **data, size_t *size) {
    while (!body->done && *at < end) {
        if (body->state == LENGTH || body->state == DATA) {
            size_t take = (size_t)(end - *at);
            if (take > body->left) take = body->left;
            *data = *at;
            *size = take;
            *at += take;
            body->left -= take;
            if (!body->left && body->state == LENGTH) body->done = 1;
            if (!body->left && body->state == DATA) body->state = DATA_END;
            return 1;
        }
        char byte = *(*at)++;
        if (body->state == SIZE_LINE) {
            body_size_byte(body, byte);
        } else if (body->state == DATA_END) {
            if (byte == '\n') body->state = SIZE_LINE;
        } else if (byte == '\n') { /* TRAILER */
            if (!body->line) body->done = 1;
            body->line = 0;
        } else if (byte != '\r') {
            body->line++;
        }
    }
    return 0;
}

#endif
