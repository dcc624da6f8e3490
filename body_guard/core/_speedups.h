/* What the files of the compiled pass share.
 *
 * Nothing here may run Python code while a body is looked at: what is looked up is text in C
 * memory, and no object is made for it.
 */
#ifndef BODY_GUARD_SPEEDUPS_H
#define BODY_GUARD_SPEEDUPS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* Values of a key table: flags in the low bits, above them an index that Python has chosen, from 1
 * on. 0 is no value: the name matches nothing. */
#define BG_CUT 1u /* settled: the member is removed, whatever stands around it */
#define BG_INDEX_SHIFT 4

/* Flags of encode. */
#define BG_ENSURE_ASCII 1ul
#define BG_HAND_BACK_UNSERIALIZABLE 2ul /* what json cannot write is not just removed */
#define BG_HAND_BACK_FOREIGN 4ul        /* rules may match values by their class */

/* What encode records besides the values of names. */
#define BG_PLACE 0u /* no finding: a container in which something was found */
#define BG_UNSERIALIZABLE 1u
#define BG_HELD 2u /* the same, of a member that stands there yet, with null */
#define BG_BAD_KEY 3u
#define BG_NON_FINITE 4u
#define BG_SURROGATE 5u

/* Before 3.12 a string made by a long deprecated C API can lack the final form of its characters. */
#if PY_VERSION_HEX < 0x030C0000
#define BG_IS_READY(text) PyUnicode_IS_READY(text)
#else
#define BG_IS_READY(text) 1
#endif

typedef struct {
    PyObject *utf8; /* bytes; lone surrogates in their 3-byte form */
    uint32_t hash;
    uint32_t value;
    int is_prefix;
} BgKey;

typedef struct {
    PyObject_HEAD
    BgKey *keys;
    uint32_t count;
    uint32_t *slots; /* open addressing: 1 + the index of a key; 0 is free */
    uint32_t mask;
    char *scratch;   /* for names that are not ASCII; the GIL protects it */
    Py_ssize_t longest_name, longest_prefix;
    uint32_t empty;  /* the value of the name "" */
    /* By the first byte of a name: which last bytes and sizes exact names have, and which sizes
     * prefixes have (bit 63: 63 and more). Most names end here, before they are hashed. */
    uint64_t name_filter[256], prefix_sizes[256];
} KeyTable;

typedef struct {
    PyTypeObject *key_table; /* the Python type KeyTable */
    PyObject *items;         /* the name "items", and what dict has under it */
    PyObject *dict_items;
} BgState;

/* The value of a name (a ready string): that of the exact name, else of the longest prefix that
 * matches, else 0. Neither can fail, and neither touches a reference count. */
uint32_t bg_keys_find_unicode(const KeyTable *table, PyObject *name);
uint32_t bg_keys_find_utf8(const KeyTable *table, const char *utf8, Py_ssize_t size);

/* Borrow a KeyTable from an argument; NULL and TypeError if it is something else. */
KeyTable *bg_keys_check(PyObject *module, PyObject *argument);

/* Write a character as UTF-8, a surrogate in its 3-byte form; the number of bytes. */
static inline Py_ssize_t bg_put_utf8(char *to, Py_UCS4 character) {
    char *at = to;
    if (character < 0x80) {
        *at++ = (char)character;
        return 1;
    }
    if (character < 0x800) {
        *at++ = (char)(0xC0 | character >> 6);
    } else {
        if (character < 0x10000) {
            *at++ = (char)(0xE0 | character >> 12);
        } else {
            *at++ = (char)(0xF0 | character >> 18);
            *at++ = (char)(0x80 | (character >> 12 & 0x3F));
        }
        *at++ = (char)(0x80 | (character >> 6 & 0x3F));
    }
    *at++ = (char)(0x80 | (character & 0x3F));
    return at - to;
}

extern PyType_Spec bg_keys_spec;

/* scan(text, keys, start, records), as _speedups.pyi describes it. */
PyObject *bg_scan(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

#endif
