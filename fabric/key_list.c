#include "fabric/key_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/table.h"

typedef struct entry {
    char key[KEY_TEXT_SIZE + 1];
    char name[NODE_NAME_MAX + 1];
    roles_t roles;      /* ROLES_NONE = was let in once */
    roles_t next_roles; /* by the load that goes on */
    char next_name[NODE_NAME_MAX + 1];
    uint32_t number;
} entry_t;

struct key_list {
    entry_t **entries; /* owned array of owned entries; by number */
    uint32_t count;
    table_t by_key; /* the same entries */
};

static span_t entry_key(const void *item)
{
    return span_new(((const entry_t *)item)->key, KEY_TEXT_SIZE);
}

static entry_t *find(const key_list_t *self, span_t key)
{
    return table_get(&self->by_key, key);
}

static entry_t *add(key_list_t *self, const char *key)
{
    entry_t *entry = mem_new(sizeof *entry);
    memcpy(entry->key, key, KEY_TEXT_SIZE);
    entry->number = self->count;
    self->entries = mem_grow(self->entries, self->count + 1u, sizeof *self->entries);
    self->entries[self->count++] = entry;
    table_put(&self->by_key, entry);
    return entry;
}

static entry_t *find_or_add(key_list_t *self, const char *key)
{
    entry_t *entry = find(self, span_str(key));
    return entry ? entry : add(self, key);
}

key_list_t *key_list_new(const char *own_key)
{
    key_list_t *self = mem_new(sizeof *self);
    table_init(&self->by_key, entry_key);
    entry_t *own = add(self, own_key);
    own->roles = roles_of(ROLE_RELAY);
    snprintf(own->name, sizeof own->name, "relays");
    return self;
}

void key_list_destroy(key_list_t **self_p)
{
    key_list_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    table_fini(&self->by_key);
    for (uint32_t i = 0; i < self->count; i++)
        mem_free(self->entries[i]);
    mem_free(self->entries);
    mem_free(self);
}

/* --- loading --- */

static int is_key_file(const struct dirent *item)
{
    size_t size = strlen(item->d_name);
    size_t suffix = strlen(KEY_FILE_SUFFIX);
    return item->d_name[0] != '.' && size > suffix &&
           strcmp(item->d_name + size - suffix, KEY_FILE_SUFFIX) == 0;
}

static int take_file(key_list_t *self, const char *path, buf_t *why)
{
    key_file_t file;
    int err = key_file_read(&file, path, KEY_PUBLIC, why);
    if (err)
        return err;
    entry_t *entry = find_or_add(self, file.key);
    if (entry->number == KEY_NUMBER_RELAYS)
        return OK;
    if (entry->next_roles != ROLES_NONE) {
        buf_printf(why, "%s: the same key stands in another file, too", path);
        return ERR_DUPLICATE;
    }
    entry->next_roles = file.roles;
    memcpy(entry->next_name, file.name, sizeof entry->next_name);
    return OK;
}

static int take_files(key_list_t *self, const char *directory, struct dirent **items, int count, buf_t *why)
{
    buf_t path = {0};
    int err = OK;
    if (count > (int)KEY_LIST_MAX) {
        buf_printf(why, "%s: holds more than %u keys", directory, KEY_LIST_MAX);
        err = ERR_FULL;
    }
    for (int i = 0; !err && i < count; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", directory, items[i]->d_name);
        err = take_file(self, buf_text(&path), why);
    }
    buf_fini(&path);
    return err;
}

static int take_directory(key_list_t *self, const char *directory, buf_t *why)
{
    struct dirent **items;
    int count = scandir(directory, &items, is_key_file,
                        alphasort); /* sorted: of two faults always the same is told */
    if (count < 0) {
        buf_printf(why, "%s: %s", directory, strerror(errno));
        return ERR_IO;
    }
    int err = take_files(self, directory, items, count, why);
    for (int i = 0; i < count; i++)
        mem_free(items[i]); /* scandir's, from malloc as ours */
    mem_free(items);
    return err;
}

static void put_in_force(entry_t *entry, key_list_changes_t *changes)
{
    changes->count += entry->next_roles != ROLES_NONE;
    changes->added += (entry->next_roles & ~entry->roles) != 0;
    changes->revoked += (entry->roles & ~entry->next_roles) != 0;
    entry->roles = entry->next_roles;
    if (entry->roles != ROLES_NONE) /* else it keeps the name by which people knew it */
        memcpy(entry->name, entry->next_name, sizeof entry->name);
}

int key_list_load(key_list_t *self, const char *directory, key_list_changes_t *changes, buf_t *why)
{
    for (uint32_t i = 1; i < self->count; i++)
        self->entries[i]->next_roles = ROLES_NONE;
    *changes = (key_list_changes_t){0};
    int err = take_directory(self, directory, why);
    for (uint32_t i = 1; !err && i < self->count; i++)
        put_in_force(self->entries[i], changes);
    return err;
}

/* --- looking --- */

uint32_t key_list_find(const key_list_t *self, span_t key)
{
    const entry_t *entry = find(self, key);
    return entry && entry->roles != ROLES_NONE ? entry->number : KEY_NUMBER_NONE;
}

roles_t key_list_roles(const key_list_t *self, uint32_t number)
{
    return number < self->count ? self->entries[number]->roles : ROLES_NONE;
}

const char *key_list_name(const key_list_t *self, uint32_t number)
{
    return number < self->count ? self->entries[number]->name : "?";
}
