/* A provider on loopback that is faster than anything measured against it.
 *
 *   mock [PORT]        prints the port it listens on; 0 or nothing: any free one
 *
 * POST to any path is answered by the path's end (/messages, /chat/completions, /responses) and by its query:
 *   stream=1           server-sent events instead of a JSON answer
 *   events=64 pace=20  how many events, and the milliseconds between two of them
 *   tool=1             the JSON answer calls a tool
 * Each text delta carries its number and the time it was written (n=, at=; CLOCK_MONOTONIC in ns), so that whoever
 * reads it on the same machine knows how late it is. The request body is read and forgotten.
 */
#include "http.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum api { MESSAGES, CHAT, RESPONSES };

struct conn {
    int fd;
    struct head head;
    int in_body;
    struct body body;
    enum api api;
    int streaming, tool, event, events;
    uint64_t pace, due;
    size_t place; /* in the heap of streams, from 1; 0: not there */
    char *out;    /* what the socket did not take yet */
    size_t out_size, out_room;
};

static int poller, timer;
static uint64_t answers;
static char input[READ_SIZE];

/* ---- streams by the time of their next event: a binary heap, and one timer for its top ---- */

static struct conn **heap;
static size_t heap_size, heap_room;

static void heap_put(struct conn *conn, size_t place) {
    heap[place] = conn;
    conn->place = place;
}

static void heap_sift(struct conn *conn, size_t place) {
    while (place > 1 && heap[place / 2]->due > conn->due) {
        heap_put(heap[place / 2], place);
        place /= 2;
    }
    for (size_t child; (child = place * 2) <= heap_size; place = child) {
        if (child < heap_size && heap[child + 1]->due < heap[child]->due) child++;
        if (heap[child]->due >= conn->due) break;
        heap_put(heap[child], place);
    }
    heap_put(conn, place);
}

static void heap_add(struct conn *conn) {
    if (heap_size + 2 > heap_room) {
        heap_room = heap_room ? heap_room * 2 : 1024;
        heap = realloc(heap, heap_room * sizeof *heap);
        if (!heap) die("memory");
    }
    heap_sift(conn, ++heap_size);
}

static void heap_remove(struct conn *conn) {
    struct conn *last = heap[heap_size--];
    size_t place = conn->place;
    conn->place = 0;
    if (last != conn) heap_sift(last, place);
}

static void arm_timer(void) {
    static uint64_t armed;
    uint64_t due = heap_size ? heap[1]->due : 0;
    if (due == armed) return;
    armed = due;
    struct itimerspec at = {.it_value = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

/* ---- writing ---- */

static void drop(struct conn *conn) {
    if (conn->place) heap_remove(conn);
    close(conn->fd);
    free(conn->out);
    free(conn);
}

static void watch(struct conn *conn, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = conn};
    epoll_ctl(poller, EPOLL_CTL_MOD, conn->fd, &event);
}

/* Write, or keep what the socket does not take. 0: the peer is gone. */
static int put(struct conn *conn, const char *data, size_t size) {
    if (!conn->out_size) {
        ssize_t sent = send(conn->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return 0;
        if (sent > 0) data += sent, size -= (size_t)sent;
        if (!size) return 1;
        watch(conn, EPOLLIN | EPOLLOUT);
    }
    if (conn->out_size + size > conn->out_room) {
        conn->out_room = (conn->out_size + size) * 2;
        conn->out = realloc(conn->out, conn->out_room);
        if (!conn->out) die("memory");
    }
    memcpy(conn->out + conn->out_size, data, size);
    conn->out_size += size;
    return 1;
}

static int flush(struct conn *conn) {
    ssize_t sent = send(conn->fd, conn->out, conn->out_size, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    conn->out_size -= (size_t)sent;
    memmove(conn->out, conn->out + sent, conn->out_size);
    if (!conn->out_size) watch(conn, EPOLLIN);
    return 1;
}

/* ---- what is said ---- */

#define HEADERS                                                                                             \
    "request-id: req_%012llu\r\nanthropic-organization-id: 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\r\n"         \
    "anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 3999\r\n"          \
    "anthropic-ratelimit-tokens-limit: 2000000\r\nanthropic-ratelimit-tokens-remaining: 1999000\r\n"        \
    "server: mock\r\n"
#define MODEL "claude-sonnet-4-5-20250929"
#define PROSE                                                                                               \
    "The function reads the file line by line, keeps a running count for each key, and returns the counts " \
    "as a sorted list of pairs. Two things are worth a look. The file is opened without an encoding, so "   \
    "the result depends on the machine it runs on; and a line without a separator raises an error that "    \
    "does not name the line. I would open it as UTF-8 and say in the error which line it was. "
#define LONG_PROSE PROSE PROSE "The tests cover the empty file but not one whose last line has no end. "

static const char *const WHOLE[] = {
    [MESSAGES] = "{\"id\":\"msg_%012llu\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"" MODEL "\",\"content\":["
                 "{\"type\":\"text\",\"text\":\"" LONG_PROSE PROSE "\"}],\"stop_reason\":\"end_turn\","
                 "\"stop_sequence\":null,\"usage\":{\"input_tokens\":412,\"cache_creation_input_tokens\":128,"
                 "\"cache_read_input_tokens\":2048,\"output_tokens\":233,\"service_tier\":\"standard\"}}",
    [CHAT] = "{\"id\":\"chatcmpl-%012llu\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"gpt-5\","
             "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"" LONG_PROSE "\",\"refusal\":null},"
             "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":412,\"completion_tokens\":233,\"total_tokens\":645,"
             "\"prompt_tokens_details\":{\"cached_tokens\":128},\"completion_tokens_details\":{\"reasoning_tokens\":64}}}",
    [RESPONSES] = "{\"id\":\"resp_%012llu\",\"object\":\"response\",\"created_at\":1760000000,\"status\":\"completed\","
                  "\"model\":\"gpt-5\",\"output\":[{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
                  "\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"" LONG_PROSE
                  "\",\"annotations\":[]}]}],\"usage\":{\"input_tokens\":412,\"input_tokens_details\":{\"cached_tokens\":128},"
                  "\"output_tokens\":233,\"output_tokens_details\":{\"reasoning_tokens\":64},\"total_tokens\":645}}",
};
static const char TOOL[] =
    "{\"id\":\"msg_%012llu\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"" MODEL "\",\"content\":["
    "{\"type\":\"text\",\"text\":\"" LONG_PROSE "\"},{\"type\":\"tool_use\",\"id\":\"toolu_%012llu\",\"name\":\"Read\","
    "\"input\":{\"file_path\":\"/src/counts.py\",\"offset\":120,\"limit\":80}}],\"stop_reason\":\"tool_use\","
    "\"stop_sequence\":null,\"usage\":{\"input_tokens\":412,\"cache_creation_input_tokens\":128,"
    "\"cache_read_input_tokens\":2048,\"output_tokens\":233}}";

static int answer_whole(struct conn *conn) {
    static char body[8192], text[10240];
    unsigned long long id = ++answers;
    const char *form = conn->tool ? TOOL : WHOLE[conn->api];
    int length = snprintf(body, sizeof body, form, id, id);
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" HEADERS "Content-Length: %d\r\n\r\n%s", id,
                        length, body);
    return put(conn, text, (size_t)size);
}

static int event_text(char *to, size_t room, const struct conn *conn, uint64_t now) {
    int last = conn->events - 1, at = conn->event;
    unsigned long long id = answers, time = now;
#define SAY(...) return snprintf(to, room, __VA_ARGS__)
    if (conn->api == CHAT) {
        if (at == last) SAY("data: [DONE]\n\n");
#define CHUNK "data: {\"id\":\"chatcmpl-%012llu\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"gpt-5\","
        if (at == last - 1)
            SAY(CHUNK "\"choices\":[],\"usage\":{\"prompt_tokens\":412,\"completion_tokens\":233,\"total_tokens\":645}}\n\n", id);
        if (at == last - 2)
            SAY(CHUNK "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", id);
        SAY(CHUNK "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"n=%d at=%llu and so on \"},\"finish_reason\":null}]}\n\n",
            id, at, time);
    }
    if (conn->api == RESPONSES) {
        if (at == last)
            SAY("event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":%d,\"response\":"
                "{\"id\":\"resp_%012llu\",\"status\":\"completed\",\"model\":\"gpt-5\",\"output\":[],\"usage\":{\"input_tokens\":412,"
                "\"input_tokens_details\":{\"cached_tokens\":128},\"output_tokens\":233,\"output_tokens_details\":"
                "{\"reasoning_tokens\":64},\"total_tokens\":645}}}\n\n", at, id);
        if (at == 0)
            SAY("event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":"
                "{\"id\":\"resp_%012llu\",\"status\":\"in_progress\",\"model\":\"gpt-5\",\"output\":[]}}\n\n", id);
        SAY("event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":%d,"
            "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"n=%d at=%llu and so on \"}\n\n", at, at, time);
    }
    if (at == last) SAY("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    if (at == 0)
        SAY("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_%012llu\",\"type\":\"message\","
            "\"role\":\"assistant\",\"model\":\"" MODEL "\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"
            "{\"input_tokens\":412,\"cache_creation_input_tokens\":128,\"cache_read_input_tokens\":2048,\"output_tokens\":1}}}\n\n", id);
    if (at == 1)
        SAY("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
            "{\"type\":\"text\",\"text\":\"\"}}\n\n");
    if (at == last - 2) SAY("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
    if (at == last - 1)
        SAY("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
            "\"usage\":{\"output_tokens\":233}}\n\n");
    SAY("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
        "\"text\":\"n=%d at=%llu and so on \"}}\n\n", at, time);
}

/* Write the next event, its head before the first and the end of the body after the last. 0: the peer is gone. */
static int next_event(struct conn *conn, uint64_t now) {
    static char data[2048], text[4096];
    int size = 0;
    if (conn->event == 0)
        size = snprintf(text, sizeof text,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n" HEADERS
                        "Transfer-Encoding: chunked\r\n\r\n", (unsigned long long)++answers);
    int length = event_text(data, sizeof data, conn, now);
    int final = ++conn->event == conn->events;
    size += snprintf(text + size, sizeof text - (size_t)size, "%x\r\n%s\r\n%s", (unsigned)length, data, final ? "0\r\n\r\n" : "");
    if (conn->place) heap_remove(conn);
    conn->streaming = !final;
    if (!final) {
        conn->due += conn->pace;
        heap_add(conn);
    }
    return put(conn, text, (size_t)size);
}

/* ---- what is asked ---- */

static int number_in(const char *query, const char *name, int otherwise) {
    const char *found = query ? strstr(query, name) : NULL;
    return found ? atoi(found + strlen(name)) : otherwise;
}

static int answer(struct conn *conn) {
    char *line_end = strstr(conn->head.text, " HTTP/1.1\r\n");
    if (!line_end) return 0;
    *line_end = 0;
    const char *path = conn->head.text, *query = strchr(path, '?');
    conn->api = strstr(path, "/chat/completions") ? CHAT : strstr(path, "/responses") ? RESPONSES : MESSAGES;
    conn->tool = number_in(query, "tool=", 0);
    conn->head.size = 0;
    conn->in_body = 0;
    if (!number_in(query, "stream=", 0)) return answer_whole(conn);
    conn->events = number_in(query, "events=", 64);
    if (conn->events < 6) conn->events = 6;
    conn->pace = (uint64_t)number_in(query, "pace=", 20) * 1000000u;
    conn->event = 0;
    conn->streaming = 1;
    conn->due = now_ns();
    return next_event(conn, conn->due);
}

/* Read what is there. 0: the peer is gone, or spoke out of turn. */
static int receive(struct conn *conn) {
    ssize_t got = recv(conn->fd, input, sizeof input, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    if (conn->streaming) return 0;
    const char *at = input, *end = input + got, *data;
    size_t size;
    if (!conn->in_body) {
        int complete = head_feed(&conn->head, &at, end);
        if (complete <= 0) return complete == 0;
        conn->in_body = 1;
        body_start(&conn->body, &conn->head);
        const char *expect = head_value(&conn->head, "\r\nexpect:");
        if (expect && !put(conn, "HTTP/1.1 100 Continue\r\n\r\n", 25)) return 0;
    }
    while (body_next(&conn->body, &at, end, &data, &size)) continue;
    return conn->body.done ? at == end && answer(conn) : 1;
}

static void welcome(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct conn *conn = calloc(1, sizeof *conn);
        if (!conn) die("memory");
        conn->fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static void send_due(void) {
    uint64_t now = now_ns();
    while (heap_size && heap[1]->due <= now) {
        struct conn *conn = heap[1];
        if (!next_event(conn, now_ns())) drop(conn);
    }
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096)) die("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
    struct epoll_event ready[256], first = {.events = EPOLLIN, .data.ptr = NULL}, tick = {.events = EPOLLIN, .data.ptr = &timer};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &first);
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &tick);
    for (;;) {
        int count = epoll_wait(poller, ready, 256, -1);
        for (int i = 0; i < count; i++) {
            struct conn *conn = ready[i].data.ptr;
            if (!conn) {
                welcome(listener);
            } else if ((void *)conn == (void *)&timer) {
                uint64_t times;
                if (read(timer, &times, sizeof times) < 0 && errno != EAGAIN) die("timer");
            } else {
                int alive = !(ready[i].events & (EPOLLERR | EPOLLHUP));
                if (alive && (ready[i].events & EPOLLOUT)) alive = flush(conn);
                if (alive && (ready[i].events & EPOLLIN)) alive = receive(conn);
                if (!alive) drop(conn);
            }
        }
        send_due(); /* after the batch: a connection dropped here has no event left in it */
        arm_timer();
    }
}
