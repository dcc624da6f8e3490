/* What the files of the compiled pass share. Nothing here may run Python code while a body is looked
 * at: what is looked up is text in C memory, and no object is made for it. */
#ifndef BODY_GUARD_SPEEDUPS_H
#define BODY_GUARD_SPEEDUPS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>
#if defined(__SSE2__) && defined(__GNUC__)
#define BG_SSE2
#include <emmintrin.h>
#endif

/* The value of a key is flags in the low bits, above them an index that Python has chosen, from 1
 * on. 0 is no value: the name matches nothing. */
#define BG_CUT 1u /* settled: the member is removed, whatever stands around it */

/* The names that rules mention, in a capsule of this name. */
typedef struct BgKeys BgKeys;
#define BG_KEYS "body_guard.core._speedups.key_table"

/* The value of a name: that of the exact name, else of the longest prefix that matches, else 0. It
 * cannot fail, and touches no reference count. */
uint32_t bg_keys_find(const BgKeys *keys, const char *utf8, Py_ssize_t size);
uint32_t bg_keys_find_unicode(const BgKeys *keys, PyObject *name);

/* Room for a name, up to one character more than the longest key has; the GIL protects it. */
char *bg_keys_scratch(const BgKeys *keys, char **enough);

/* key_table and scan, as _speedups.pyi describes them. */
PyObject *bg_key_table(PyObject *module, PyObject *args);
PyObject *bg_scan(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

/* Make room for one more in an array of C memory; -1 and MemoryError if there is none. The address
 * of the pointer to it is that of a pointer to something else than void: hence memcpy. */
#define BG_MAKE_ROOM(array, used, size) bg_make_room(&(array), used, &(size), sizeof *(array))
static inline int bg_make_room(void *address, Py_ssize_t used, Py_ssize_t *size, size_t each) {
    if (used < *size) return 0;
    void *array;
    memcpy(&array, address, sizeof array);
    array = PyMem_Realloc(array, (size_t)(2 * used + 16) * each);
    if (array == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(address, &array, sizeof array);
    *size = 2 * used + 16;
    return 0;
}

/* Write a character as UTF-8, a surrogate in its 3-byte form; return where that ends. */
static inline char *bg_put_utf8(char *to, Py_UCS4 c) {
    static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    *to++ = (char)(leads[more] | c >> 6 * more);
    while (more-- > 0) *to++ = (char)(0x80 | (c >> 6 * more & 0x3F));
    return to;
}

/* Whether a character of a string stands there as it is: no quote, backslash or control. */
static inline int bg_is_plain(Py_UCS4 c) {
    return c >= 0x20 && c != '"' && c != '\\';
}

#ifdef BG_SSE2
/* Which of 16 bytes are not plain, as bits. */
static inline unsigned bg_find_specials(__m128i bytes) {
    __m128i found = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(found);
}
#endif

#endif
