/* The member names that rules mention, for lookups that run no Python code.
 *
 * They are sorted, so that all keys between a prefix and a name that begins with it begin with that
 * prefix too: the longest that fits is found from the last key that is not behind the name. */

#include "_speedups.h"

typedef struct {
    PyObject *utf8; /* bytes; lone surrogates in their 3-byte form */
    const char *text;
    Py_ssize_t size;
    int is_prefix;
    uint32_t value;
    Py_ssize_t around; /* the longest prefix that this one begins with, or -1 */
} Key;

struct BgKeys {
    Key *keys;
    Py_ssize_t count, longest;
    Py_ssize_t starts[257]; /* by first byte, where its keys begin; */
    uint64_t seconds[256];  /* and what may stand behind it, as bits: most names end here */
    char *scratch;
};

static int begins_with(const char *text, Py_ssize_t size, const Key *key) {
    return size >= key->size && memcmp(text, key->text, (size_t)key->size) == 0;
}

static int compare(const char *text, Py_ssize_t size, const Key *key) {
    int order = memcmp(text, key->text, (size_t)Py_MIN(size, key->size));
    return order != 0 ? order : (size > key->size) - (size < key->size);
}

static inline uint64_t second_bit(const char *text) {
    return (uint64_t)1 << (text[1] & 63);
}

uint32_t bg_keys_find(const BgKeys *table, const char *utf8, Py_ssize_t size) {
    unsigned first = size == 0 ? 0 : (unsigned char)utf8[0];
    if (size > 1 && !(table->seconds[first] & second_bit(utf8))) return 0;
    Py_ssize_t low = table->starts[first], high = table->starts[first + 1];
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (compare(utf8, size, &table->keys[middle]) < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    for (Py_ssize_t at = low - 1; at >= table->starts[first]; at = table->keys[at].around) {
        const Key *key = &table->keys[at];
        if (begins_with(utf8, size, key) && (key->is_prefix || size == key->size)) return key->value;
    }
    return 0;
}

char *bg_keys_scratch(const BgKeys *table, char **enough) {
    *enough = table->scratch + table->longest;
    return table->scratch;
}

uint32_t bg_keys_find_unicode(const BgKeys *table, PyObject *name) {
    Py_ssize_t length = PyUnicode_GET_LENGTH(name);
    if (PyUnicode_IS_ASCII(name)) return bg_keys_find(table, PyUnicode_DATA(name), length);
    /* PyUnicode_AsUTF8 would cache the text inside the caller's string. What is longer than every
     * key matches prefixes only, so it need not be written to its end. */
    char *enough, *to = bg_keys_scratch(table, &enough);
    for (Py_ssize_t i = 0; i < length && to <= enough; i++) {
        to = bg_put_utf8(to, PyUnicode_READ_CHAR(name, i));
    }
    return bg_keys_find(table, table->scratch, to - table->scratch);
}

/* Building a table. It is only handed out whole, so that it never changes while it is read. */

/* Nothing here runs Python code, so nobody changes the dict. */
static int add_keys(BgKeys *table, PyObject *keys, int is_prefix) {
    PyObject *name, *number;
    for (Py_ssize_t at = 0; PyDict_Next(keys, &at, &name, &number);) {
        unsigned long value = PyLong_AsUnsignedLong(number);
        if (PyErr_Occurred()) return -1;
        PyObject *utf8 = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass");
        if (utf8 == NULL) return -1;
        Py_ssize_t size = PyBytes_GET_SIZE(utf8);
        table->keys[table->count++] =
            (Key){utf8, PyBytes_AS_STRING(utf8), size, is_prefix, (uint32_t)value, -1};
        table->longest = Py_MAX(table->longest, size);
        if (value == 0 || value > UINT32_MAX || (is_prefix && size == 0)) {
            PyErr_SetString(PyExc_ValueError, "a value has 1 to 32 bits, a prefix is not empty");
            return -1;
        }
    }
    return 0;
}

/* A prefix comes before a name of the same text, so that a name is found before it. */
static int order_of(const void *one, const void *other) {
    const Key *key = one, *next = other;
    int order = compare(key->text, key->size, next);
    return order != 0 ? order : next->is_prefix - key->is_prefix;
}

static void link_keys(BgKeys *table) {
    qsort(table->keys, (size_t)table->count, sizeof(Key), order_of);
    for (Py_ssize_t i = 0; i < table->count; i++) {
        Key *key = &table->keys[i];
        Py_ssize_t around = i - 1; /* itself a prefix, or else the one around it */
        while (around >= 0
               && !(table->keys[around].is_prefix
                    && begins_with(key->text, key->size, &table->keys[around]))) {
            around = table->keys[around].around;
        }
        key->around = around;
        unsigned first = key->size == 0 ? 0 : (unsigned char)key->text[0];
        table->starts[first + 1] = i + 1;
        table->seconds[first] |= key->size > 1 ? second_bit(key->text) : key->is_prefix ? ~0ull : 0;
    }
    for (int byte = 1; byte <= 256; byte++) {
        table->starts[byte] = Py_MAX(table->starts[byte], table->starts[byte - 1]);
    }
}

static void drop(BgKeys *table) {
    for (Py_ssize_t i = 0; i < table->count; i++) Py_DECREF(table->keys[i].utf8);
    PyMem_Free(table->keys);
    PyMem_Free(table->scratch);
    PyMem_Free(table);
}

static void drop_capsule(PyObject *capsule) {
    drop(PyCapsule_GetPointer(capsule, BG_KEYS));
}

static PyObject *build(BgKeys *table, PyObject *names, PyObject *prefixes) {
    Py_ssize_t count = PyDict_GET_SIZE(names) + PyDict_GET_SIZE(prefixes);
    table->keys = PyMem_Calloc((size_t)count + 1, sizeof(Key));
    if (table->keys == NULL) return PyErr_NoMemory();
    if (add_keys(table, names, 0) < 0 || add_keys(table, prefixes, 1) < 0) return NULL;
    /* One character more than the longest key may be written. */
    table->scratch = PyMem_Malloc((size_t)table->longest + 8);
    if (table->scratch == NULL) return PyErr_NoMemory();
    link_keys(table);
    return PyCapsule_New(table, BG_KEYS, drop_capsule);
}

PyObject *bg_key_table(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *names, *prefixes;
    if (!PyArg_ParseTuple(args, "O!O!:key_table", &PyDict_Type, &names, &PyDict_Type, &prefixes)) {
        return NULL;
    }
    BgKeys *table = PyMem_Calloc(1, sizeof(BgKeys));
    if (table == NULL) return PyErr_NoMemory();
    PyObject *capsule = build(table, names, prefixes);
    if (capsule == NULL) drop(table);
    return capsule;
}
