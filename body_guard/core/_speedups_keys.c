/* KeyTable: the member names that rules mention, for lookups that run no Python code. */

#include "_speedups.h"

#include <string.h>

#define HASH_START 2166136261u /* FNV-1a: each byte adds to the hash of what is before it, */
#define HASH_FACTOR 16777619u  /* so that one reading of a name looks up all its prefixes */

static inline uint32_t
hash_step(uint32_t hash, unsigned char byte)
{
    return (hash ^ byte) * HASH_FACTOR;
}

static uint32_t
hash_of(const char *text, Py_ssize_t size)
{
    uint32_t hash = HASH_START;
    for (Py_ssize_t i = 0; i < size; i++) {
        hash = hash_step(hash, (unsigned char)text[i]);
    }
    return hash;
}

static inline uint64_t
filter_bit(const char *text, Py_ssize_t size)
{
    unsigned char last = (unsigned char)text[size - 1];
    return (uint64_t)1 << ((last * 5 + (size_t)size) & 63);
}

static inline uint64_t
size_bit(Py_ssize_t size)
{
    return (uint64_t)1 << (size < 63 ? size : 63);
}

/* Where a key is in a set, or the free slot where it belongs. */
static inline uint32_t *
slot_of(const BgKeySet *set, const char *arena, uint32_t hash, const char *text, Py_ssize_t size)
{
    for (uint32_t at = hash & set->mask;; at = (at + 1) & set->mask) {
        uint32_t *slot = &set->slots[at];
        if (*slot == 0) {
            return slot;
        }
        const BgKey *key = &set->keys[*slot - 1];
        if (key->hash == hash && key->size == size
            && memcmp(arena + key->start, text, (size_t)size) == 0) {
            return slot;
        }
    }
}

static inline uint32_t
value_of(const KeyTable *table, const BgKeySet *set, uint32_t hash, const char *text,
         Py_ssize_t size)
{
    uint32_t slot = *slot_of(set, table->arena, hash, text, size);
    return slot == 0 ? 0 : set->keys[slot - 1].value;
}

static uint32_t
find(const KeyTable *table, const char *text, Py_ssize_t size, int maybe_name, uint64_t sizes)
{
    Py_ssize_t most = table->prefixes.longest;
    if (maybe_name || size < most) {
        most = size;
    }
    uint32_t hash = HASH_START;
    uint32_t found = 0;
    for (Py_ssize_t i = 0; i < most;) {
        hash = hash_step(hash, (unsigned char)text[i++]);
        if (sizes & size_bit(i)) {
            uint32_t value = value_of(table, &table->prefixes, hash, text, i);
            found = value ? value : found;
        }
    }
    uint32_t exact = maybe_name ? value_of(table, &table->names, hash, text, size) : 0;
    return exact ? exact : found;
}

uint32_t
bg_keys_find_utf8(const KeyTable *table, const char *utf8, Py_ssize_t size)
{
    if (size == 0) {
        return table->empty;
    }
    unsigned char first = (unsigned char)utf8[0];
    uint64_t sizes = table->prefix_sizes[first];
    if (size < 63) {
        sizes &= ((uint64_t)2 << size) - 1;
    }
    int maybe_name = size <= table->names.longest
                     && (table->name_filter[first] & filter_bit(utf8, size)) != 0;
    return maybe_name || sizes ? find(table, utf8, size, maybe_name, sizes) : 0;
}

static Py_ssize_t
put_utf8(char *to, Py_UCS4 character)
{
    if (character < 0x80) {
        to[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        to[0] = (char)(0xC0 | character >> 6);
        to[1] = (char)(0x80 | (character & 0x3F));
        return 2;
    }
    if (character < 0x10000) {
        to[0] = (char)(0xE0 | character >> 12);
        to[1] = (char)(0x80 | (character >> 6 & 0x3F));
        to[2] = (char)(0x80 | (character & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | character >> 18);
    to[1] = (char)(0x80 | (character >> 12 & 0x3F));
    to[2] = (char)(0x80 | (character >> 6 & 0x3F));
    to[3] = (char)(0x80 | (character & 0x3F));
    return 4;
}

uint32_t
bg_keys_find_unicode(const KeyTable *table, PyObject *name)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(name);
    if (PyUnicode_IS_ASCII(name)) {
        return bg_keys_find_utf8(table, PyUnicode_DATA(name), length);
    }
    /* PyUnicode_AsUTF8 would cache the text inside the caller's string. What is longer than every
     * key matches prefixes only, so it need not be written to its end. */
    int kind = PyUnicode_KIND(name);
    const void *data = PyUnicode_DATA(name);
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < length && size <= table->longest; i++) {
        size += put_utf8(table->scratch + size, PyUnicode_READ(kind, data, i));
    }
    return bg_keys_find_utf8(table, table->scratch, size);
}

/* Building a table. It is only handed out whole, so that it never changes while it is read. */

static int
append_key(KeyTable *table, BgKeySet *set, const char *text, Py_ssize_t size, uint32_t value)
{
    if (table->allocated - table->used < size) {
        Py_ssize_t wanted = 2 * table->allocated + size;
        char *larger = PyMem_Realloc(table->arena, (size_t)wanted);
        if (larger == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        table->arena = larger;
        table->allocated = wanted;
    }
    memcpy(table->arena + table->used, text, (size_t)size);
    uint32_t hash = hash_of(text, size);
    uint32_t *slot = slot_of(set, table->arena, hash, text, size);
    if (*slot != 0) {
        PyErr_SetString(PyExc_ValueError, "two keys have one text");
        return -1;
    }
    set->keys[set->count] = (BgKey){table->used, size, hash, value};
    *slot = ++set->count;
    table->used += size;
    if (size > set->longest) {
        set->longest = size;
    }
    return 0;
}

static int
add_key(KeyTable *table, BgKeySet *set, const char *text, Py_ssize_t size, uint32_t value)
{
    int is_prefix = set == &table->prefixes;
    if (size == 0 && is_prefix) {
        PyErr_SetString(PyExc_ValueError, "a prefix must not be empty");
        return -1;
    }
    if (size == 0) {
        table->empty = value;
        return 0;
    }
    unsigned char first = (unsigned char)text[0];
    if (is_prefix) {
        table->prefix_sizes[first] |= size_bit(size);
    }
    else {
        table->name_filter[first] |= filter_bit(text, size);
    }
    return append_key(table, set, text, size, value);
}

static int
add_item(KeyTable *table, BgKeySet *set, PyObject *item)
{
    PyObject *name, *number;
    if (!PyArg_ParseTuple(item, "UO!;keys are str, values int", &name, &PyLong_Type, &number)) {
        return -1;
    }
    unsigned long value = PyLong_AsUnsignedLong(number);
    if (value == (unsigned long)-1 && PyErr_Occurred()) {
        return -1;
    }
    if (value == 0 || value > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "a value must be positive and fit into 32 bits");
        return -1;
    }
    PyObject *utf8 = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass");
    if (utf8 == NULL) {
        return -1;
    }
    int failed = add_key(table, set, PyBytes_AS_STRING(utf8), PyBytes_GET_SIZE(utf8),
                         (uint32_t)value);
    Py_DECREF(utf8);
    return failed;
}

static int
reserve_keys(BgKeySet *set, Py_ssize_t count)
{
    if (count > (Py_ssize_t)1 << 24) {
        PyErr_SetString(PyExc_ValueError, "too many keys");
        return -1;
    }
    uint32_t slots = 8;
    while ((Py_ssize_t)slots < 2 * count) {
        slots *= 2;
    }
    set->keys = PyMem_Calloc((size_t)count + 1, sizeof(BgKey));
    set->slots = PyMem_Calloc(slots, sizeof(uint32_t));
    if (set->keys == NULL || set->slots == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    set->mask = slots - 1;
    return 0;
}

static int
fill(KeyTable *table, BgKeySet *set, PyObject *mapping)
{
    PyObject *items = PyMapping_Items(mapping); /* a list of its own: nobody else changes it */
    if (items == NULL) {
        return -1;
    }
    Py_ssize_t count = PyList_GET_SIZE(items);
    int failed = reserve_keys(set, count);
    for (Py_ssize_t i = 0; !failed && i < count; i++) {
        failed = add_item(table, set, PyList_GET_ITEM(items, i));
    }
    Py_DECREF(items);
    return failed;
}

static PyObject *
keys_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *arguments[] = {"names", "prefixes", NULL};
    PyObject *names, *prefixes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:KeyTable", arguments, &names, &prefixes)) {
        return NULL;
    }
    KeyTable *table = (KeyTable *)type->tp_alloc(type, 0);
    if (table == NULL) {
        return NULL;
    }
    if (fill(table, &table->names, names) || fill(table, &table->prefixes, prefixes)) {
        Py_DECREF(table);
        return NULL;
    }
    table->longest = Py_MAX(table->names.longest, table->prefixes.longest);
    table->scratch = PyMem_Malloc((size_t)table->longest + 4);
    if (table->scratch == NULL) {
        Py_DECREF(table);
        return PyErr_NoMemory();
    }
    return (PyObject *)table;
}

static void
keys_dealloc(KeyTable *table)
{
    PyTypeObject *type = Py_TYPE(table);
    PyMem_Free(table->names.keys);
    PyMem_Free(table->names.slots);
    PyMem_Free(table->prefixes.keys);
    PyMem_Free(table->prefixes.slots);
    PyMem_Free(table->arena);
    PyMem_Free(table->scratch);
    type->tp_free(table);
    Py_DECREF(type);
}

static PyObject *
keys_find(KeyTable *table, PyObject *name)
{
    if (PyUnicode_Check(name) && BG_IS_READY(name)) {
        return PyLong_FromUnsignedLong(bg_keys_find_unicode(table, name));
    }
    if (PyBytes_Check(name)) {
        return PyLong_FromUnsignedLong(
            bg_keys_find_utf8(table, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)));
    }
    return PyErr_Format(PyExc_TypeError, "find() takes str or bytes");
}

KeyTable *
bg_keys_check(PyObject *module, PyObject *argument)
{
    BgState *state = PyModule_GetState(module);
    if (!Py_IS_TYPE(argument, state->key_table)) {
        PyErr_SetString(PyExc_TypeError, "keys must be a KeyTable");
        return NULL;
    }
    return (KeyTable *)argument;
}

static PyMethodDef keys_methods[] = {
    {"find", (PyCFunction)keys_find, METH_O,
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
