/* Linked between the program's data and the harness's own: what runs beyond the end of a global
 * array faults here instead of spoiling the harness. */
#include <stdint.h>

enum { GUARD = 1 << 20 };

__attribute__((visibility("hidden"), aligned(4096))) uint8_t gd_guard[GUARD];
