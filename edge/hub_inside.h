/* edge/hub_inside - what hub.c (listeners, messages, answers) and hub_upstream.c (what is said to the relays)
 * share. Nobody else includes it.
 * Owner, thread, life: edge/hub.
 */
#ifndef HEDDLE_EDGE_HUB_INSIDE_H
#define HEDDLE_EDGE_HUB_INSIDE_H

#include "base/table.h"
#include "edge/hub.h"

/* See the picture in edge/hub.h. */
typedef enum channel_state { CHANNEL_UNSYNCED, CHANNEL_SUBSCRIBING, CHANNEL_ON } channel_state_t;

struct edge_channel {
    list_node_t work;                    /* in hub->work while there is something to say upstream */
    edge_subscription_t **subscriptions; /* owned array, unordered, no holes; the hub owns what is in it */
    uint32_t count;                      /* slots in use */
    uint32_t capacity;
    uint32_t unanswered; /* SUBs whose SUB_OK or SUB_NO has not come */
    uint32_t request;    /* the number of the last one */
    uint32_t held;       /* walks under way, and callbacks about it: it must not be freed */
    position_t position; /* of the last message passed on; unknown until the first SUB_OK */
    uint64_t via;        /* id of the relay that the last SUB went to */
    bool leaves_via;     /* that relay is still to be told UNSUB, before all else */
    uint8_t state_now;   /* a channel_state_t; written by edge_channel_go() only */
    uint8_t name_size;
    char name[];
};

struct edge_hub {
    edge_worker_t *worker; /* borrowed */
    uplink_t *uplink;      /* borrowed */
    table_t channels;
    list_t work;           /* of edge_channel_t, through `work` */
    list_t refused;        /* of edge_channel_t, through `work`: "not now" is what the relay said */
    uint64_t retry_us;     /* when those are to be tried again */
    list_t waiting;        /* of edge_subscription_t, through `waiting`; who asked first is first */
    list_t joining;        /* of edge_subscription_t, through `joining` */
    list_t asking;         /* of struct edge_recovering: questions still to be asked */
    unsigned asked;        /* questions that are not answered yet */
    uint64_t ask_from_us;  /* not before */
    list_t leaves;         /* LEAVEs that did not fit; hub_upstream owns them */
    uint32_t last_request; /* of all SUBs */
    size_t subscriptions;  /* of all channels */
};

/* The only writer of state_now. */
void edge_channel_go(edge_channel_t *self, channel_state_t state);

/* After each change: puts the channel on the work list or takes it off; frees it when nobody listens, nobody
 * walks it, and no answer will come that could be taken for the answer to a later SUB. */
void edge_hub_settle(edge_hub_t *self, edge_channel_t *channel);

/* One turn's work. What can't be done now goes to the end of its list. */
typedef struct hub_turn {
    uint64_t now_us;
    uint64_t full
        [VIEW_MEMBERS_MAX]; /* relays that had no room: nothing more is tried there, so that order is kept */
    size_t full_count;
    unsigned patience; /* so many more may fail before the turn ends */
} hub_turn_t;

/* The relay to talk to for the channel, if it may have room; 0: not in this turn. */
uint64_t edge_hub_room_for(const edge_hub_t *self, hub_turn_t *turn, span_t name);
/* Passes on how sending to the relay went. */
int edge_hub_note_room(hub_turn_t *turn, uint64_t relay, int err);

typedef int hub_work_fn(edge_hub_t *self, list_node_t *item, hub_turn_t *turn);
void edge_hub_work_off(edge_hub_t *self, list_t *list, hub_work_fn *work, hub_turn_t *turn);

/* A new subscription, which waits, is to go on from there: it asks for what it has missed when its channel is on. */
void edge_hub_recover(edge_hub_t *self, edge_subscription_t *subscription, position_t since);

/* The owner is to be asked for what the subscription has missed: at the turn's end. */
void edge_hub_ask_missed(edge_hub_t *self, edge_subscription_t *subscription);
void edge_hub_send_asks(edge_hub_t *self, hub_turn_t *turn);

/* The channel has moved: the answer to a question under way would come over another link than its messages. */
void edge_hub_take_back_ask(edge_hub_t *self, edge_subscription_t *subscription);

/* Forgets that it wanted to recover. */
void edge_hub_drop_recovery(edge_hub_t *self, edge_subscription_t *subscription);

/* Takes a subscription away, and tells its dialect why. */
void edge_hub_refuse(edge_hub_t *self, edge_subscription_t *subscription, int err);

/* A subscription is on; if its channel has presence or tells who joins, the JOIN goes: now, or at a turn's end when
 * there is no room. */
void edge_hub_join(edge_hub_t *self, edge_subscription_t *subscription);
/* All are, perhaps anew, but those that recover. */
void edge_hub_join_all(edge_hub_t *self, const edge_channel_t *channel);

/* A subscription goes, and with it its presence: now, or at a turn's end when there is no room. */
void edge_hub_leave(edge_hub_t *self, edge_subscription_t *subscription);

/* Frees the LEAVEs that are still to be sent. */
void edge_hub_forget_leaves(edge_hub_t *self);

#endif
