/* The working folder of a run: filled from the case, looked through, and emptied again.
 *
 * All access is relative to descriptors and never follows a symbolic link, so nothing that a
 * program leaves behind leads out of the folder.  Growable byte buffers live here too.
 */
#ifndef GCCLLM_FOLDER_H
#define GCCLLM_FOLDER_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders nested more deeply are neither copied nor collected. */
enum { MAX_DEPTH = 24, MAX_PATH_BYTES = 1024 };

/* ---- buffers ------------------------------------------------------------------------------- */

struct buffer {
    unsigned char *data;
    size_t length, room;
};

/* Space for `more` bytes at the end; NULL when memory is out. */
static unsigned char *buffer_grow(struct buffer *b, size_t more)
{
    if (b->length + more > b->room) {
        size_t room = (b->length + more) * 3 / 2 + 4096;
        unsigned char *data = realloc(b->data, room);
        if (!data)
            return NULL;
        b->data = data;
        b->room = room;
    }
    b->length += more;
    return b->data + b->length - more;
}

static int buffer_put(struct buffer *b, const void *bytes, size_t length)
{
    unsigned char *place = buffer_grow(b, length);
    if (!place)
        return -1;
    memcpy(place, bytes, length);
    return 0;
}

/* A blob: its length as u64, then the first `limit` bytes of the file. */
static int buffer_put_file(struct buffer *b, int fd, uint64_t limit)
{
    struct stat st;
    if (fstat(fd, &st))
        return -1;
    uint64_t length = (uint64_t)st.st_size < limit ? (uint64_t)st.st_size : limit;
    if (buffer_put(b, &length, sizeof length))
        return -1;
    unsigned char *place = buffer_grow(b, length);
    if (!place)
        return -1;
    for (uint64_t done = 0; done < length;) {
        ssize_t n = pread(fd, place + done, length - done, (off_t)done);
        if (n <= 0)
            return -1;
        done += (uint64_t)n;
    }
    return 0;
}

/* ---- folders ------------------------------------------------------------------------------- */

static bool is_dot(const char *name)
{
    return !strcmp(name, ".") || !strcmp(name, "..");
}

static int open_folder(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A stream over a folder that leaves the caller's descriptor alone. */
static DIR *read_folder(int folder)
{
    int fd = open_folder(folder, ".");
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream && fd >= 0)
        close(fd);
    return stream;
}

static int copy_file(int from_folder, int to_folder, const char *name, mode_t mode)
{
    int from = openat(from_folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int to = openat(to_folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    ssize_t n = -1;
    if (from >= 0 && to >= 0)
        while ((n = sendfile(to, from, NULL, 1 << 30)) > 0)
            continue;
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return n == 0 ? 0 : -1;
}

/* Copy regular files and folders; anything else in the source is an error. */
static int copy_folder(int from, int to, int depth)
{
    DIR *stream = depth > MAX_DEPTH ? NULL : read_folder(from);
    if (!stream)
        return -1;
    int result = 0;
    for (struct dirent *entry; !result && (entry = readdir(stream));) {
        struct stat st;
        if (is_dot(entry->d_name))
            continue;
        if (fstatat(from, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
            result = -1;
        else if (S_ISREG(st.st_mode))
            result = copy_file(from, to, entry->d_name, 0600);
        else if (S_ISDIR(st.st_mode) && !mkdirat(to, entry->d_name, 0700)) {
            int sub_from = open_folder(from, entry->d_name);
            int sub_to = open_folder(to, entry->d_name);
            result = sub_from < 0 || sub_to < 0 ? -1 : copy_folder(sub_from, sub_to, depth + 1);
            close(sub_from);
            close(sub_to);
        } else
            result = -1;
    }
    closedir(stream);
    return result;
}

/* Empty one sub-folder by moving its own sub-folders up beside it, so that the depth that a
 * program chose costs neither stack nor descriptors. */
static void flatten_folder(int folder, const char *name, unsigned *serial)
{
    if (fchmodat(folder, name, 0700, 0))
        return;
    int sub = open_folder(folder, name);
    DIR *stream = sub < 0 ? NULL : read_folder(sub);
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        if (is_dot(entry->d_name) || !unlinkat(sub, entry->d_name, 0))
            continue;
        fchmodat(sub, entry->d_name, 0700, 0); /* moving a folder writes its ".." */
        for (int tries = 0; tries < 1000; tries++) {
            char place[32];
            snprintf(place, sizeof place, ".moved-%u", (*serial)++);
            if (!renameat(sub, entry->d_name, folder, place))
                break;
        }
    }
    if (stream)
        closedir(stream);
    if (sub >= 0)
        close(sub);
}

/* Delete everything in a folder.  Only for when no program can touch it any more. */
static int empty_folder(int folder)
{
    unsigned serial = 0;
    for (unsigned stuck = 0; stuck < 1000; stuck++) {
        bool found = false, progress = false;
        DIR *stream = read_folder(folder);
        if (!stream)
            return -1;
        for (struct dirent *entry; (entry = readdir(stream));) {
            if (is_dot(entry->d_name))
                continue;
            found = true;
            if (unlinkat(folder, entry->d_name, 0)) {
                flatten_folder(folder, entry->d_name, &serial);
                if (unlinkat(folder, entry->d_name, AT_REMOVEDIR))
                    continue;
            }
            progress = true;
        }
        closedir(stream);
        if (!found)
            return 0;
        if (progress)
            stuck = 0;
    }
    return -1;
}

/* Bytes and entries below a folder; stops counting past the limits. */
struct usage {
    uint64_t bytes, entries, max_bytes, max_entries;
};

static bool usage_exceeds(int folder, struct usage *u, int depth)
{
    DIR *stream = read_folder(folder);
    if (!stream)
        return false;
    bool over = depth > 4 * MAX_DEPTH; /* nothing honest is that deep */
    for (struct dirent *entry; !over && (entry = readdir(stream));) {
        struct stat st;
        if (is_dot(entry->d_name) || fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        u->bytes += 512 * (uint64_t)st.st_blocks;
        u->entries++;
        over = u->bytes > u->max_bytes || u->entries > u->max_entries;
        if (!over && S_ISDIR(st.st_mode)) {
            int sub = open_folder(folder, entry->d_name);
            if (sub >= 0) {
                over = usage_exceeds(sub, u, depth + 1);
                close(sub);
            }
        }
    }
    closedir(stream);
    return over;
}

/* ---- what a run left behind ---------------------------------------------------------------- */

struct collection {
    struct buffer *into; /* blob of the path, blob of the contents, for each file */
    uint32_t files, max_files;
    uint64_t bytes, max_bytes;
    bool too_much;
    char path[MAX_PATH_BYTES];
};

static bool same_contents(int a, int b)
{
    struct stat of_a, of_b;
    if (a < 0 || b < 0 || fstat(a, &of_a) || fstat(b, &of_b) || of_a.st_size != of_b.st_size)
        return false;
    char left[4096], right[4096];
    for (off_t at = 0; at < of_a.st_size;) {
        ssize_t n = pread(a, left, sizeof left, at);
        if (n <= 0 || pread(b, right, (size_t)n, at) != n || memcmp(left, right, (size_t)n))
            return false;
        at += n;
    }
    return true;
}

static int collect_file(struct collection *c, int folder, int original, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int before = original < 0 ? -1 : openat(original, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    int result = 0;
    if (fd < 0 || fstat(fd, &st))
        result = -1;
    else if (!same_contents(fd, before)) {
        c->files++;
        c->bytes += (uint64_t)st.st_size;
        if (c->files > c->max_files || c->bytes > c->max_bytes)
            c->too_much = true;
        else {
            uint64_t length = strlen(c->path);
            result = buffer_put(c->into, &length, sizeof length);
            result |= buffer_put(c->into, c->path, length);
            result |= buffer_put_file(c->into, fd, c->max_bytes);
        }
    }
    if (before >= 0)
        close(before);
    if (fd >= 0)
        close(fd);
    return result;
}

/* Every regular file that is new or differs from the one of that path below `original` (a
 * descriptor, or -1).  Sets too_much and stops at the limits.  -1: something can't be read. */
static int collect_folder(struct collection *c, int folder, int original, int depth)
{
    DIR *stream = read_folder(folder);
    if (!stream)
        return -1;
    size_t base = strlen(c->path);
    int result = 0;
    for (struct dirent *entry; !result && !c->too_much && (entry = readdir(stream));) {
        struct stat st;
        const char *name = entry->d_name;
        if (is_dot(name) || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        if (depth > MAX_DEPTH || base + strlen(name) + 2 > sizeof c->path) {
            c->too_much = true;
            break;
        }
        snprintf(c->path + base, sizeof c->path - base, "%s%s", base ? "/" : "", name);
        if (S_ISREG(st.st_mode)) {
            fchmodat(folder, name, 0600, 0); /* it may have been created unreadable */
            result = collect_file(c, folder, original, name);
        } else if (S_ISDIR(st.st_mode)) {
            fchmodat(folder, name, 0700, 0);
            int sub = open_folder(folder, name);
            int sub_original = original < 0 ? -1 : open_folder(original, name);
            result = sub < 0 ? -1 : collect_folder(c, sub, sub_original, depth + 1);
            if (sub >= 0)
                close(sub);
            if (sub_original >= 0)
                close(sub_original);
        }
        c->path[base] = '\0';
    }
    closedir(stream);
    return result;
}

#endif
