/* tests/chaos/delay_queue - holds packets back for a while: what a long way costs, on a kernel without netem.
 * Thread: one.
 *
 * It reads the netfilter queue of its network namespace, keeps each packet for DELAY plus or minus JITTER, and
 * lets it go; those that draw a shorter time overtake others. Of 100 packets, LOSS are dropped at once.
 * It prints "ready" once packets may be sent to the queue; SIGTERM and SIGINT let go what is held, and end it.
 *
 *     delay_queue --queue 1 --delay 50 --jitter 10 --loss 0 --seed 1       milliseconds, percent
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <libnfnetlink/libnfnetlink.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>

#include "base/clock.h"
#include "base/random.h"

#define HELD_MAX     16384u     /* packets; the kernel drops what comes above, as a full router would */
#define RECEIVE_SIZE (4u << 20) /* bytes of the socket: bursts come faster than we are woken */
#define MESSAGE_SIZE 8192u      /* only the heads of packets are sent to us */
#define DELAY_MAX    60000u

typedef struct options {
    uint64_t queue, delay, jitter, loss, seed; /* delay and jitter in milliseconds, loss in percent */
} options_t;

typedef struct packet {
    uint64_t due_us;
    uint32_t id;
} packet_t;

typedef struct delayer {
    options_t options;
    random_t random;
    struct nfq_handle *library;
    struct nfq_q_handle *queue;
    packet_t held[HELD_MAX]; /* a heap: the first is due first */
    size_t count;
} delayer_t;

static void swap(packet_t *one, packet_t *other)
{
    packet_t kept = *one;
    *one = *other;
    *other = kept;
}

static void hold(delayer_t *self, packet_t packet)
{
    size_t place = self->count++;
    self->held[place] = packet;
    for (; place > 0 && self->held[place].due_us < self->held[(place - 1) / 2].due_us;
         place = (place - 1) / 2)
        swap(&self->held[place], &self->held[(place - 1) / 2]);
}

static packet_t take(delayer_t *self)
{
    packet_t first = self->held[0];
    self->held[0] = self->held[--self->count];
    for (size_t place = 0;;) {
        size_t least = place;
        for (size_t child = 2 * place + 1; child <= 2 * place + 2 && child < self->count; child++)
            if (self->held[child].due_us < self->held[least].due_us)
                least = child;
        if (least == place)
            return first;
        swap(&self->held[place], &self->held[least]);
        place = least;
    }
}

static uint64_t draw_delay_us(delayer_t *self)
{
    uint64_t least = self->options.delay - self->options.jitter;
    return least * 1000 + random_below(&self->random, 2 * self->options.jitter * 1000 + 1);
}

static void let_go(delayer_t *self, uint32_t id)
{
    nfq_set_verdict(self->queue, id, NF_ACCEPT, 0, NULL);
}

static int on_packet(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data,
                     void *context)
{
    (void)message;
    delayer_t *self = context;
    struct nfqnl_msg_packet_hdr *head = nfq_get_msg_packet_hdr(data);
    if (!head)
        return 0;
    uint32_t id = ntohl(head->packet_id);
    if (random_below(&self->random, 100) < self->options.loss)
        nfq_set_verdict(queue, id, NF_DROP, 0, NULL);
    else if (self->count == HELD_MAX)
        let_go(self, id);
    else
        hold(self, (packet_t){.due_us = clock_now_us() + draw_delay_us(self), .id = id});
    return 0;
}

static bool open_queue(delayer_t *self)
{
    self->library = nfq_open();
    if (!self->library)
        return false;
    self->queue = nfq_create_queue(self->library, (uint16_t)self->options.queue, on_packet, self);
    if (!self->queue || nfq_set_mode(self->queue, NFQNL_COPY_META, 0) < 0 ||
        nfq_set_queue_maxlen(self->queue, HELD_MAX) < 0)
        return false;
    nfnl_rcvbufsiz(nfq_nfnlh(self->library), RECEIVE_SIZE);
    int yes = 1; /* an overrun loses packets, which is what networks do; it is no error */
    return setsockopt(nfq_fd(self->library), SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, sizeof yes) == 0;
}

static int signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* How long to wait for the packet that is due next; -1: none is held. */
static int wait_ms(const delayer_t *self)
{
    if (self->count == 0)
        return -1;
    uint64_t now_us = clock_now_us();
    return self->held[0].due_us <= now_us ? 0 : (int)((self->held[0].due_us - now_us + 999) / 1000);
}

static void receive(delayer_t *self)
{
    _Alignas(struct nlmsghdr) char message[MESSAGE_SIZE];
    ssize_t size = recv(nfq_fd(self->library), message, sizeof message, MSG_DONTWAIT);
    if (size > 0)
        nfq_handle_packet(self->library, message, (int)size);
}

static void serve(delayer_t *self, int signal_fd)
{
    struct pollfd fds[] = {{.fd = nfq_fd(self->library), .events = POLLIN},
                           {.fd = signal_fd, .events = POLLIN}};
    while (!fds[1].revents) {
        if (poll(fds, 2, wait_ms(self)) > 0 && fds[0].revents)
            receive(self);
        while (self->count > 0 && self->held[0].due_us <= clock_now_us())
            let_go(self, take(self).id);
    }
    while (self->count > 0)
        let_go(self, take(self).id);
}

static bool read_number(const char *text, uint64_t most, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *number <= most;
}

static bool read_options(int argc, char **argv, options_t *options)
{
    static const struct option names[] = {
        {"queue", required_argument, NULL, 'q'},  {"delay", required_argument, NULL, 'd'},
        {"jitter", required_argument, NULL, 'j'}, {"loss", required_argument, NULL, 'l'},
        {"seed", required_argument, NULL, 's'},   {NULL, 0, NULL, 0}};
    bool good = true;
    for (int letter; (letter = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (letter) {
        case 'q': good = good && read_number(optarg, UINT16_MAX, &options->queue); break;
        case 'd': good = good && read_number(optarg, DELAY_MAX, &options->delay); break;
        case 'j': good = good && read_number(optarg, DELAY_MAX, &options->jitter); break;
        case 'l': good = good && read_number(optarg, 100, &options->loss); break;
        case 's': good = good && read_number(optarg, UINT64_MAX, &options->seed); break;
        default: good = false;
        }
    }
    return good && optind == argc && options->jitter <= options->delay;
}

int main(int argc, char **argv)
{
    static delayer_t delayer;
    if (!read_options(argc, argv, &delayer.options)) {
        fprintf(stderr, "usage: delay_queue --queue N --delay MS --jitter MS --loss PERCENT --seed N\n");
        return 2;
    }
    delayer.random = (random_t){delayer.options.seed};
    int signal_fd = signals();
    if (signal_fd < 0 || !open_queue(&delayer)) {
        fprintf(stderr, "delay_queue: no netfilter queue: %s\n", strerror(errno));
        return 1;
    }
    puts("ready");
    fflush(stdout);
    serve(&delayer, signal_fd);
    nfq_close(delayer.library);
    return 0;
}
