/* A load client: connections that each send a request, read the whole answer, check it, and send the next.
 *
 *   load --port P --path /v1/messages --body FILE [--connections 16] [--seconds 5] [--requests N]
 *        [--header "Name: value"]... [--session-header NAME] [--least-bytes 1000] [--ramp-ms 0]
 *        [--stream --events 64]
 *
 * Ends after the seconds or the number of requests, whichever is first; what is on its way then is still read (at most
 * 30 s). Prints one JSON object. An event is stalled when it comes more than 200 ms after the mock wrote it, or, where
 * it carries no time, more than 200 ms + the pace after the event before it.
 */
#include "http.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LINE_MAX_KEPT = 2048, REQUESTS_IN_SESSION = 16 };
static const uint64_t STALL_NS = 200000000u, PATIENCE_NS = 30000000000u;

/* ---- options ---- */

static int port, connections = 16, streaming, events_wanted = 64, ramp_ms;
static double seconds = 5;
static uint64_t requests_wanted = UINT64_MAX;
static size_t least_bytes = 1000, body_size;
static char *body, *path = "/", *session_header, headers[HEAD_MAX];

/* ---- what is learned ---- */

struct samples {
    uint32_t *ns100; /* units of 100 ns */
    size_t size, room;
};

static struct samples latency, first_event, lateness;
static uint64_t sent, finished, errors, events, stalls, stalled_streams, bad_status, bad_body, broken, started_at, last_end;
static int first_bad_status;

static void add(struct samples *samples, uint64_t ns) {
    if (samples->size == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 65536;
        samples->ns100 = realloc(samples->ns100, samples->room * sizeof *samples->ns100);
        if (!samples->ns100) die("memory");
    }
    uint64_t value = ns / 100;
    samples->ns100[samples->size++] = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static int ascending(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static void print_samples(const char *name, struct samples *samples) {
    qsort(samples->ns100, samples->size, sizeof *samples->ns100, ascending);
    printf(", \"%s\": ", name);
    if (!samples->size) {
        printf("null");
        return;
    }
    size_t last = samples->size - 1;
    printf("{\"count\": %zu, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}", samples->size,
           samples->ns100[last / 2] / 10.0, samples->ns100[(size_t)((double)last * 0.9)] / 10.0,
           samples->ns100[(size_t)((double)last * 0.99)] / 10.0, samples->ns100[last] / 10.0);
}

/* ---- one connection ---- */

struct conn {
    int fd, number, busy, in_body, status;
    uint64_t asked, asked_at, event_at;
    char *request;
    char *session; /* where the changing digits of the session are in the request */
    size_t request_size, request_sent;
    struct head head;
    struct body body;
    size_t got;
    char last_byte;
    char line[LINE_MAX_KEPT + 1];
    size_t line_size;
    int stream_events, ended, stalled, number_seen;
};

static int poller, running;
static char input[READ_SIZE];
static struct conn *conns;

static void watch(struct conn *conn, int how, uint32_t what) {
    struct epoll_event event = {.events = what, .data.ptr = conn};
    epoll_ctl(poller, how, conn->fd, &event);
}

static void dial(struct conn *conn) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (conn->fd < 0) die("socket");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(conn->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) die("connect");
    watch(conn, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void write_request(struct conn *conn) {
    size_t room = strlen(headers) + strlen(path) + 512;
    conn->request = malloc(room);
    if (!conn->request) die("memory");
    int size = snprintf(conn->request, room, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sContent-Length: %zu\r\n", path, port,
                        headers, body_size);
    if (session_header) {
        size += snprintf(conn->request + size, room - (size_t)size, "%s: 5e551011-0000-4000-8000-", session_header);
        conn->session = conn->request + size;
        size += snprintf(conn->request + size, room - (size_t)size, "000000000000\r\n");
    }
    size += snprintf(conn->request + size, room - (size_t)size, "\r\n");
    conn->request_size = (size_t)size;
}

/* Send what remains of the request. 0: the peer is gone. */
static int push(struct conn *conn) {
    while (conn->request_sent < conn->request_size + body_size) {
        size_t done = conn->request_sent, in_body = done > conn->request_size ? done - conn->request_size : 0;
        struct iovec parts[2] = {{conn->request + done, done < conn->request_size ? conn->request_size - done : 0},
                                 {body + in_body, body_size - in_body}};
        ssize_t taken = parts[0].iov_len ? writev(conn->fd, parts, 2) : writev(conn->fd, parts + 1, 1);
        if (taken < 0) return errno == EAGAIN || errno == ENOTCONN;
        conn->request_sent += (size_t)taken;
    }
    watch(conn, EPOLL_CTL_MOD, EPOLLIN);
    return 1;
}

static int ask(struct conn *conn) {
    if (conn->session) {
        static const char digits[] = "0123456789abcdef";
        uint64_t session = (uint64_t)conn->number << 24 | (conn->asked / REQUESTS_IN_SESSION & 0xffffff);
        for (int i = 11; i >= 0; i--, session >>= 4) conn->session[i] = digits[session & 15];
    }
    sent++;
    conn->asked++;
    conn->busy = 1;
    conn->head.size = conn->request_sent = conn->got = conn->line_size = 0;
    conn->in_body = conn->stream_events = conn->ended = conn->stalled = 0;
    conn->number_seen = -1;
    conn->event_at = conn->asked_at = now_ns();
    int alive = push(conn);
    if (alive && conn->request_sent < conn->request_size + body_size) watch(conn, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    return alive;
}

/* ---- reading ---- */

static void see_event(struct conn *conn, const char *data, uint64_t now) {
    const char *number = strstr(data, "\"n="), *stamp = number ? strstr(number, " at=") : NULL;
    uint64_t late = 0;
    events++;
    if (!conn->stream_events++) add(&first_event, now - conn->asked_at);
    if (stamp) {
        late = now - strtoull(stamp + 4, NULL, 10);
        add(&lateness, late);
        int seen = atoi(number + 3);
        if (seen <= conn->number_seen) conn->ended = -1; /* out of order, or twice */
        conn->number_seen = seen;
    } else if (conn->stream_events > 1) {
        late = now - conn->event_at;
    }
    if (late > STALL_NS + (stamp ? 0 : 20000000u)) {
        stalls++;
        conn->stalled = 1;
    }
    conn->event_at = now;
    if (strstr(data, "\"message_stop\"") || strstr(data, "[DONE]") || strstr(data, "\"response.completed\""))
        conn->ended += conn->ended >= 0;
}

static void read_lines(struct conn *conn, const char *data, size_t size, uint64_t now) {
    for (const char *end = data + size; data < end;) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        size_t take = (size_t)((stop ? stop : end) - data);
        if (take > LINE_MAX_KEPT - conn->line_size) take = LINE_MAX_KEPT - conn->line_size;
        memcpy(conn->line + conn->line_size, data, take);
        conn->line_size += take;
        if (!stop) return;
        conn->line[conn->line_size] = 0;
        if (!strncmp(conn->line, "data:", 5)) see_event(conn, conn->line + 5, now);
        conn->line_size = 0;
        data = stop + 1;
    }
}

static void finish(struct conn *conn, uint64_t now) {
    int right = streaming ? conn->stream_events == events_wanted && conn->ended == 1
                          : conn->got >= least_bytes && conn->last_byte == '}';
    finished++;
    stalled_streams += (uint64_t)conn->stalled;
    last_end = now;
    conn->busy = 0;
    running--;
    if (conn->status != 200) {
        bad_status++, errors++;
        if (!first_bad_status) first_bad_status = conn->status;
    } else if (!right) {
        bad_body++, errors++;
    } else {
        add(&latency, now - conn->asked_at);
    }
}

/* Read what is there. 0: the peer is gone or not understood. */
static int receive(struct conn *conn) {
    ssize_t got = recv(conn->fd, input, sizeof input, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    if (!conn->busy) return 0;
    uint64_t now = now_ns();
    const char *at = input, *end = input + got, *data;
    size_t size;
    if (!conn->in_body) {
        int complete = head_feed(&conn->head, &at, end);
        if (complete <= 0) return complete == 0;
        conn->status = atoi(conn->head.text + strlen("HTTP/1.1 "));
        conn->in_body = 1;
        body_start(&conn->body, &conn->head);
    }
    while (body_next(&conn->body, &at, end, &data, &size)) {
        if (!size) continue;
        conn->got += size;
        conn->last_byte = data[size - 1];
        if (streaming) read_lines(conn, data, size, now);
    }
    if (conn->body.done) finish(conn, now);
    return at == end;
}

/* ---- the run ---- */

static int more_wanted(uint64_t now) {
    return sent < requests_wanted && (double)(now - started_at) < seconds * 1e9;
}

static void start_next(struct conn *conn, uint64_t now) {
    if (!more_wanted(now)) return;
    running++;
    if (conn->fd < 0) dial(conn);
    if (!ask(conn)) return; /* the poller will say so */
}

static void lost(struct conn *conn, uint64_t now) {
    close(conn->fd);
    conn->fd = -1;
    if (conn->busy) {
        broken++, errors++, running--;
        conn->busy = 0;
    }
    if (errors < 1000) start_next(conn, now);
}

static void serve(struct conn *conn, uint32_t ready) {
    int alive = !(ready & EPOLLERR);
    if (alive && (ready & EPOLLOUT) && conn->busy) alive = push(conn);
    if (alive && (ready & (EPOLLIN | EPOLLHUP))) alive = receive(conn);
    if (!alive) {
        lost(conn, now_ns());
    } else if (!conn->busy && errors < 1000) {
        start_next(conn, now_ns());
    }
}

static void run(void) {
    struct epoll_event ready[256];
    uint64_t now = started_at = now_ns(), step = (uint64_t)ramp_ms * 1000000u / (uint64_t)connections;
    uint64_t limit = started_at + (uint64_t)(seconds * 1e9) + PATIENCE_NS;
    int opened = 0;
    while ((opened < connections && more_wanted(now)) || running) {
        while (opened < connections && now >= started_at + step * (uint64_t)opened) start_next(&conns[opened++], now);
        int count = epoll_wait(poller, ready, 256, opened < connections ? 1 : 100);
        for (int i = 0; i < count; i++) serve(ready[i].data.ptr, ready[i].events);
        now = now_ns();
        if (now > limit) break;
    }
    broken += (uint64_t)running; /* never answered */
    errors += (uint64_t)running;
    if (!last_end) last_end = now;
}

static void print_result(void) {
    double took = (double)(last_end - started_at) / 1e9;
    printf("{\"sent\": %llu, \"finished\": %llu, \"errors\": %llu, \"bad_status\": %llu, \"first_bad_status\": %d, "
           "\"bad_body\": %llu, \"broken\": %llu, \"seconds\": %.3f, \"per_second\": %.1f",
           (unsigned long long)sent, (unsigned long long)finished, (unsigned long long)errors, (unsigned long long)bad_status,
           first_bad_status, (unsigned long long)bad_body, (unsigned long long)broken, took,
           took > 0 ? (double)finished / took : 0);
    printf(", \"events\": %llu, \"stalls\": %llu, \"stalled_streams\": %llu", (unsigned long long)events,
           (unsigned long long)stalls, (unsigned long long)stalled_streams);
    print_samples("latency", &latency);
    print_samples("first_event", &first_event);
    print_samples("lateness", &lateness);
    printf("}\n");
}

static void read_body(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END)) die(name);
    body_size = (size_t)ftell(file);
    rewind(file);
    body = malloc(body_size + 1);
    if (!body || fread(body, 1, body_size, file) != body_size) die(name);
    fclose(file);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"port", 1, 0, 'p'},     {"path", 1, 0, 'u'},           {"body", 1, 0, 'b'},        {"connections", 1, 0, 'c'},
        {"seconds", 1, 0, 's'},  {"requests", 1, 0, 'n'},       {"header", 1, 0, 'h'},      {"session-header", 1, 0, 'k'},
        {"ramp-ms", 1, 0, 'r'},  {"least-bytes", 1, 0, 'l'},    {"stream", 0, 0, 'S'},      {"events", 1, 0, 'e'},
        {0, 0, 0, 0}};
    size_t used = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 'b': read_body(optarg); break;
        case 'c': connections = atoi(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'n': requests_wanted = strtoull(optarg, NULL, 10); break;
        case 'k': session_header = optarg; break;
        case 'r': ramp_ms = atoi(optarg); break;
        case 'l': least_bytes = strtoull(optarg, NULL, 10); break;
        case 'S': streaming = 1; break;
        case 'e': events_wanted = atoi(optarg); break;
        case 'h': used += (size_t)snprintf(headers + used, sizeof headers - used, "%s\r\n", optarg); break;
        default: return 2;
        }
    if (!port || connections < 1 || used >= sizeof headers) {
        fprintf(stderr, "load: --port is needed, --connections at least 1\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(0);
    conns = calloc((size_t)connections, sizeof *conns);
    if (!conns) die("memory");
    for (int i = 0; i < connections; i++) {
        conns[i].fd = -1;
        conns[i].number = i;
        write_request(&conns[i]);
    }
    run();
    print_result();
    return 0;
}
