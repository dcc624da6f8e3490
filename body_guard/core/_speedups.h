/* What the files of the compiled pass share: the key table, and the state of the module.
 *
 * Nothing here may run Python code while a body is looked at: what is looked up is text in C
 * memory, and no object is made for it.
 */
#ifndef BODY_GUARD_SPEEDUPS_H
#define BODY_GUARD_SPEEDUPS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* Values of a key table: flags in the low bits, above them an index that Python has chosen.
 * 0 is no value: the name matches nothing. */
#define BG_CUT 1u /* settled: the member is removed, whatever stands around it */
#define BG_INDEX_SHIFT 4

/* Before 3.12 a string made by a long deprecated C API can lack its characters' final form. */
#if PY_VERSION_HEX < 0x030C0000
#define BG_IS_READY(text) PyUnicode_IS_READY(text)
#else
#define BG_IS_READY(text) 1
#endif

typedef struct {
    Py_ssize_t start; /* of the text in the arena */
    Py_ssize_t size;
    uint32_t hash;
    uint32_t value;
} BgKey;

typedef struct {
    BgKey *keys;
    uint32_t *slots; /* open addressing: 1 + the index of a key; 0 is free */
    uint32_t count;
    uint32_t mask;
    Py_ssize_t longest;
} BgKeySet;

typedef struct {
    PyObject_HEAD
    BgKeySet names;
    BgKeySet prefixes;
    char *arena;          /* the text of all keys, UTF-8; lone surrogates in their 3-byte form */
    Py_ssize_t used;
    Py_ssize_t allocated;
    char *scratch;        /* for names that are not ASCII; the GIL protects it */
    Py_ssize_t longest;   /* of names and prefixes */
    uint32_t empty;       /* the value of the name "" */
    /* By the first byte of a name: which last bytes and sizes exact names have, and which sizes
     * prefixes have (bit 63: 63 and more). Most names end here, before they are hashed. */
    uint64_t name_filter[256];
    uint64_t prefix_sizes[256];
} KeyTable;

typedef struct {
    PyTypeObject *key_table; /* the Python type KeyTable */
} BgState;

/* The value of a name (ready): that of the exact name, else of the longest prefix that matches, else 0.
 * Neither can fail, and neither touches a reference count. */
uint32_t bg_keys_find_unicode(const KeyTable *table, PyObject *name);
uint32_t bg_keys_find_utf8(const KeyTable *table, const char *utf8, Py_ssize_t size);

/* Borrow a KeyTable from an argument; NULL and TypeError if it is something else. */
KeyTable *bg_keys_check(PyObject *module, PyObject *argument);

extern PyType_Spec bg_keys_spec;

#endif
