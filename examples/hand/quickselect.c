/* Both stores are made in any case; the place advances by the result of the comparison. */
int partition(int *v, int low, int high)
{
    swap(&v[low + (high - low) / 2], &v[high]);
    int pivot = v[high], place = low;
    for (int i = low; i < high; i++) {
        int x = v[i];
        v[i] = v[place];
        v[place] = x;
        place += x < pivot;
    }
    swap(&v[place], &v[high]);
    return place;
}
