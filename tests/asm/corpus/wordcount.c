/* A small whole program that reads its input. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry { char *word; int count; struct entry *next; };
static struct entry *table[64];
static int distinct;

static unsigned slot(const char *s) {
    unsigned h = 5381;
    for (; *s; s++) h = h * 33 + (unsigned char)*s;
    return h & 63;
}

static struct entry *lookup(const char *s) {
    struct entry *e;
    for (e = table[slot(s)]; e; e = e->next)
        if (strcmp(e->word, s) == 0) return e;
    return NULL;
}

void add_word(const char *s) {
    struct entry *e = lookup(s);
    if (e) {
        e->count++;
        return;
    }
    e = malloc(sizeof *e);
    if (!e) abort();
    e->word = malloc(strlen(s) + 1);
    if (!e->word) abort();
    strcpy(e->word, s);
    e->count = 1;
    e->next = table[slot(s)];
    table[slot(s)] = e;
    distinct++;
}

int split(char *line) {
    int n = 0;
    for (char *p = line; *p;) {
        while (*p && !isalpha((unsigned char)*p)) p++;
        char *start = p;
        while (isalpha((unsigned char)*p)) p++;
        if (p == start) break;
        char saved = *p;
        *p = 0;
        add_word(start);
        *p = saved;
        n++;
    }
    return n;
}

int main(void) {
    char text[] = "the cat and the dog and the bird saw a cat, a dog; the end";
    int n = split(text);
    long sum = 0;
    for (int i = 0; i < 64; i++)
        for (struct entry *e = table[i]; e; e = e->next) sum = sum * 7 + e->count * i;
    printf("%d %d %ld\n", n, distinct, sum);
    return 0;
}
