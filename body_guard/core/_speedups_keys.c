/* KeyTable: the member names that rules mention, for lookups that run no Python code. */

#include "_speedups.h"

#include <string.h>

#define HASH_START 2166136261u /* FNV-1a: each byte adds to the hash of what is before it, */
#define HASH_FACTOR 16777619u  /* so that one reading of a name looks up all its prefixes */

static inline uint32_t hash_step(uint32_t hash, char byte) {
    return (hash ^ (unsigned char)byte) * HASH_FACTOR;
}

static inline uint64_t filter_bit(const char *text, Py_ssize_t size) {
    return (uint64_t)1 << (((unsigned char)text[size - 1] * 5 + (size_t)size) & 63);
}

static inline uint64_t size_bit(Py_ssize_t size) {
    return (uint64_t)1 << (size < 63 ? size : 63);
}

/* Where a key is, or the free slot where it belongs. */
static inline uint32_t *slot_of(const KeyTable *table, int is_prefix, uint32_t hash,
                                const char *text, Py_ssize_t size) {
    for (uint32_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        uint32_t *slot = &table->slots[at];
        if (*slot == 0) return slot;
        const BgKey *key = &table->keys[*slot - 1];
        if (key->hash == hash && key->is_prefix == is_prefix
            && PyBytes_GET_SIZE(key->utf8) == size
            && memcmp(PyBytes_AS_STRING(key->utf8), text, (size_t)size) == 0) {
            return slot;
        }
    }
}

static inline uint32_t value_of(const KeyTable *table, int is_prefix, uint32_t hash,
                                const char *text, Py_ssize_t size) {
    uint32_t slot = *slot_of(table, is_prefix, hash, text, size);
    return slot == 0 ? 0 : table->keys[slot - 1].value;
}

static uint32_t find(const KeyTable *table, const char *text, Py_ssize_t size, int may_be_name,
                     uint64_t sizes) {
    Py_ssize_t most = may_be_name ? size : Py_MIN(size, table->longest_prefix);
    uint32_t hash = HASH_START, found = 0;
    for (Py_ssize_t i = 0; i < most;) {
        hash = hash_step(hash, text[i++]);
        if (sizes & size_bit(i)) {
            uint32_t value = value_of(table, 1, hash, text, i);
            found = value ? value : found;
        }
    }
    uint32_t exact = may_be_name ? value_of(table, 0, hash, text, size) : 0;
    return exact ? exact : found;
}

uint32_t bg_keys_find_utf8(const KeyTable *table, const char *utf8, Py_ssize_t size) {
    if (size == 0) return table->empty;
    unsigned char first = (unsigned char)utf8[0];
    uint64_t sizes = table->prefix_sizes[first];
    if (size < 63) sizes &= ((uint64_t)2 << size) - 1;
    int may_be_name = size <= table->longest_name
                      && (table->name_filter[first] & filter_bit(utf8, size)) != 0;
    return may_be_name || sizes ? find(table, utf8, size, may_be_name, sizes) : 0;
}

uint32_t bg_keys_find_unicode(const KeyTable *table, PyObject *name) {
    Py_ssize_t length = PyUnicode_GET_LENGTH(name);
    if (PyUnicode_IS_ASCII(name)) return bg_keys_find_utf8(table, PyUnicode_DATA(name), length);
    /* PyUnicode_AsUTF8 would cache the text inside the caller's string. What is longer than every
     * key matches prefixes only, so it need not be written to its end. */
    int kind = PyUnicode_KIND(name);
    const void *data = PyUnicode_DATA(name);
    char *to = table->scratch, *enough = to + Py_MAX(table->longest_name, table->longest_prefix);
    for (Py_ssize_t i = 0; i < length && to <= enough; i++) {
        to += bg_put_utf8(to, PyUnicode_READ(kind, data, i));
    }
    return bg_keys_find_utf8(table, table->scratch, to - table->scratch);
}

/* Building a table. It is only handed out whole, so that it never changes while it is read. */

static int refuse(const char *why) {
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

/* Take over a reference to the text of a key. */
static int add_key(KeyTable *table, int is_prefix, PyObject *utf8, uint32_t value) {
    BgKey *key = &table->keys[table->count];
    *key = (BgKey){utf8, HASH_START, value, is_prefix};
    table->count++;
    const char *text = PyBytes_AS_STRING(utf8);
    Py_ssize_t size = PyBytes_GET_SIZE(utf8);
    if (size == 0) {
        table->empty = value;
        return is_prefix ? refuse("a prefix must not be empty") : 0;
    }
    if (is_prefix) {
        table->prefix_sizes[(unsigned char)text[0]] |= size_bit(size);
        table->longest_prefix = Py_MAX(table->longest_prefix, size);
    } else {
        table->name_filter[(unsigned char)text[0]] |= filter_bit(text, size);
        table->longest_name = Py_MAX(table->longest_name, size);
    }
    for (Py_ssize_t i = 0; i < size; i++) key->hash = hash_step(key->hash, text[i]);
    uint32_t *slot = slot_of(table, is_prefix, key->hash, text, size);
    if (*slot != 0) return refuse("two keys have one text");
    *slot = table->count;
    return 0;
}

static int add_item(KeyTable *table, int is_prefix, PyObject *item) {
    PyObject *name, *number;
    if (!PyArg_ParseTuple(item, "UO!;keys are str, values int", &name, &PyLong_Type, &number)) {
        return -1;
    }
    unsigned long value = PyLong_AsUnsignedLong(number);
    if (value == (unsigned long)-1 && PyErr_Occurred()) return -1;
    if (value == 0 || value > UINT32_MAX) return refuse("a value is positive and has 32 bits");
    PyObject *utf8 = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass");
    return utf8 == NULL ? -1 : add_key(table, is_prefix, utf8, (uint32_t)value);
}

static int add_items(KeyTable *table, int is_prefix, PyObject *items) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        if (add_item(table, is_prefix, PyList_GET_ITEM(items, i))) return -1;
    }
    return 0;
}

static int fill(KeyTable *table, PyObject *names, PyObject *prefixes) {
    Py_ssize_t count = PyList_GET_SIZE(names) + PyList_GET_SIZE(prefixes);
    uint32_t slots = 8;
    while ((Py_ssize_t)slots < 2 * count) slots *= 2;
    table->mask = slots - 1;
    table->keys = PyMem_Calloc((size_t)count + 1, sizeof(BgKey));
    table->slots = PyMem_Calloc(slots, sizeof(uint32_t));
    if (table->keys == NULL || table->slots == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (add_items(table, 0, names) || add_items(table, 1, prefixes)) return -1;
    /* One character more than the longest key may be written. */
    Py_ssize_t longest = Py_MAX(table->longest_name, table->longest_prefix);
    table->scratch = PyMem_Malloc((size_t)longest + 8);
    if (table->scratch == NULL) PyErr_NoMemory();
    return table->scratch == NULL ? -1 : 0;
}

static PyObject *keys_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *arguments[] = {"names", "prefixes", NULL};
    PyObject *names, *prefixes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:KeyTable", arguments, &names, &prefixes)) {
        return NULL;
    }
    names = PyMapping_Items(names); /* lists of its own: nobody else changes them */
    prefixes = names == NULL ? NULL : PyMapping_Items(prefixes);
    KeyTable *table = prefixes == NULL ? NULL : (KeyTable *)type->tp_alloc(type, 0);
    if (table != NULL && fill(table, names, prefixes)) Py_CLEAR(table);
    Py_XDECREF(names);
    Py_XDECREF(prefixes);
    return (PyObject *)table;
}

static void keys_dealloc(KeyTable *table) {
    PyTypeObject *type = Py_TYPE(table);
    for (uint32_t i = 0; i < table->count; i++) Py_DECREF(table->keys[i].utf8);
    PyMem_Free(table->keys);
    PyMem_Free(table->slots);
    PyMem_Free(table->scratch);
    type->tp_free(table);
    Py_DECREF(type);
}

static PyObject *keys_find(PyObject *self, PyObject *name) {
    const KeyTable *table = (const KeyTable *)self;
    uint32_t value;
    if (PyUnicode_Check(name) && BG_IS_READY(name)) {
        value = bg_keys_find_unicode(table, name);
    } else if (PyBytes_Check(name)) {
        value = bg_keys_find_utf8(table, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name));
    } else {
        return PyErr_Format(PyExc_TypeError, "find() takes str or bytes");
    }
    return PyLong_FromUnsignedLong(value);
}

KeyTable *bg_keys_check(PyObject *module, PyObject *argument) {
    BgState *state = PyModule_GetState(module);
    if (Py_IS_TYPE(argument, state->key_table)) return (KeyTable *)argument;
    PyErr_SetString(PyExc_TypeError, "keys must be a KeyTable");
    return NULL;
}

static PyMethodDef keys_methods[] = {
    {"find", keys_find, METH_O,
     "Return the value of a name, given as str or as UTF-8; 0 if it matches nothing."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot keys_slots[] = {
    {Py_tp_doc, "The member names that rules mention, each with a value."},
    {Py_tp_new, keys_new},
    {Py_tp_dealloc, keys_dealloc},
    {Py_tp_methods, keys_methods},
    {0, NULL},
};

PyType_Spec bg_keys_spec = {
    .name = "body_guard.core._speedups.KeyTable",
    .basicsize = sizeof(KeyTable),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = keys_slots,
};
