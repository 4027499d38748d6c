/* Linked into an instrumented program: its block counters live in the file behind descriptor 3,
 * so they are there however the program ends. Without that descriptor they are plain memory.
 *
 * GCCLLM_COUNTERS is how many there are. */
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define BYTES ((GCCLLM_COUNTERS + PAGE - 1) / PAGE * PAGE)

__attribute__((visibility("hidden"), aligned(4096))) unsigned char __gccllm_reached[BYTES];
__attribute__((visibility("hidden"))) const unsigned long __gccllm_counters = GCCLLM_COUNTERS;

/* before the program's own constructors; what ran earlier still is kept by the write */
__attribute__((constructor(101))) static void share_counters(void)
{
    if (ftruncate(3, 0) || write(3, __gccllm_reached, BYTES) != (ssize_t)BYTES)
        return;
    mmap(__gccllm_reached, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 3, 0);
    close(3);
}
