/* The compiled pass: an accelerator of `body_guard.core` with one meaning, that of walk and json.
 *
 * One loop looks at a value and writes it. Between its first look and its last byte no Python code
 * runs: nothing is allocated that the garbage collector tracks (on 3.10 and 3.11 that may run
 * finalizers), no object loses its last reference, and what is found stays in C memory until the
 * end. So what was judged is what was written, and borrowed references stay good.
 *
 * Py_mod_gil is left undeclared on purpose: a free-threaded build then switches the GIL on when
 * it imports this module.
 */

#include "_speedups.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define MOST_LEVELS 2000    /* DEEPEST of encode.py */
#define MOST_RECORDS 100000 /* a body with more faults is the walk's */
#define MOST_BITS 2000      /* of an int: surely within the interpreter's digit limit */
#define BLOCK 1024          /* characters for which room is made at once, */
#define MOST_CHARACTER 12   /* this many bytes for each: a pair of escapes */

/* A body that is no tree can unfold without end. The walk, which is linear, decides once more work
 * was repeated than this, and this many times what was done once; or, since not every repetition
 * is noticed, after this much of a body that may be no tree. */
#define MOST_REPEATED ((Py_ssize_t)1 << 20)
#define MOST_TIMES 8
#define MOST_CONTAINERS 1000000
#define MOST_UNFOLDED ((Py_ssize_t)64 << 20)
#define MOST_COMPARED 16000000 /* levels, in search of the closing edges of cycles */
#define KNOWN 1024             /* containers that are recognized */
#define CONTAINER_WORK 32      /* what one costs, in bytes that are written */

typedef enum { RUNNING, HANDED_BACK, FAILED } State; /* FAILED: an exception is set */

/* What became of a value; says nothing once the pass has stopped. */
typedef enum {
    DONE,
    OPENED, /* a container whose frame is now the innermost */
    GONE,   /* json cannot write it: nothing was written */
} Outcome;

/* A container that is being written. */
typedef struct {
    PyObject *container; /* strong */
    PyObject *key;       /* its name in the object around it, strong; NULL in an array */
    Py_ssize_t index;    /* its index in the array around it */
    Py_ssize_t next;     /* where to go on: an index, or a position of PyDict_Next */
    Py_ssize_t note;     /* the record of the member that it is the value of, or -1 */
    Py_ssize_t place;    /* 1 + the index of its own record; 0 where it has none */
    int is_object;
} Frame;

/* What was found: a fault, a name that rules mention, or the place of these. A place refers to the
 * one around it, so that a path costs no more than a step, however deep it is. */
typedef struct {
    uint32_t code;         /* BG_..., or the value of a name */
    Py_ssize_t place;      /* 1 + the index of the record of the container around it, or 0 */
    PyObject *key;         /* strong; NULL in an array */
    Py_ssize_t index;
    PyObject *type;        /* of the value, or of a key that is no name; strong; NULL of a place */
    Py_ssize_t start, end; /* of the member in the output; or where something is not any more */
} Record;

typedef struct {
    State state;
    BgState *module;
    const KeyTable *keys;
    unsigned long flags;
    Py_ssize_t max_bytes;
    const char *comma, *colon;
    Py_ssize_t comma_size, colon_size;

    PyObject *bytes; /* the output */
    char *data;      /* its bytes */
    Py_ssize_t used, size;
    int is_unsound; /* whether the text that was written last had lone surrogates */

    PyObject *key;    /* borrowed: the member that is being written, */
    Py_ssize_t index; /* or the element */
    Frame *frames;
    Py_ssize_t depth, frames_size;
    Record *records;
    Py_ssize_t records_used, records_size;

    Py_ssize_t containers, compared;
    Py_ssize_t repeating;     /* the depth of the outermost container that was met before, or 0 */
    Py_ssize_t repeated_from; /* the work done when it was opened, */
    Py_ssize_t repeated;      /* and the work that was repeated before it */
    int may_be_shared; /* whether a container was met that several references lead to, and if so */
    PyObject *known[KNOWN]; /* the last of them, by their address; borrowed, only compared */
} Pass;

static inline Frame *innermost(const Pass *pass) {
    return &pass->frames[pass->depth - 1];
}

static void hand_back(Pass *pass) {
    if (pass->state == RUNNING) pass->state = HANDED_BACK;
}

static void fail(Pass *pass) {
    pass->state = FAILED;
    pass->used = pass->size; /* nothing is written any more */
}

/* Room for one more in an array of C memory. */
static int make_room(Pass *pass, void **array, Py_ssize_t used, Py_ssize_t *size, size_t each) {
    if (used < *size) return 1;
    Py_ssize_t wanted = 2 * *size + 16;
    void *larger = PyMem_Realloc(*array, (size_t)wanted * each);
    if (larger == NULL) {
        PyErr_NoMemory();
        fail(pass);
        return 0;
    }
    *array = larger;
    *size = wanted;
    return 1;
}

/* Output. */

static int grow(Pass *pass, Py_ssize_t more) {
    if (more > pass->max_bytes + BLOCK * MOST_CHARACTER - pass->used) hand_back(pass);
    if (pass->state != RUNNING) return 0;
    Py_ssize_t size = Py_MAX(2 * pass->size, pass->used + more);
    if (_PyBytes_Resize(&pass->bytes, size) < 0) {
        fail(pass);
        return 0;
    }
    pass->data = PyBytes_AS_STRING(pass->bytes);
    pass->size = size;
    return 1;
}

static inline int reserve(Pass *pass, Py_ssize_t more) {
    return pass->size - pass->used >= more || grow(pass, more);
}

static inline void put(Pass *pass, const char *text, Py_ssize_t size) {
    if (!reserve(pass, size)) return;
    memcpy(pass->data + pass->used, text, (size_t)size);
    pass->used += size;
}

/* Text. Plain characters are those that are written as they are, whatever the style. */

/* What is written for a character of ASCII, and its length as the last byte: looking it up costs
 * less than telling the few that need an escape apart. Filled when the module is made. */
static char written[128][8];

static inline int is_plain(Py_UCS4 c, Py_UCS4 highest) {
    return c >= 0x20 && c <= highest && c != '"' && c != '\\';
}

static char *put_escape(char *to, Py_UCS4 unit) {
    static const char hex[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) *to++ = hex[unit >> shift & 15];
    return to;
}

static void fill_written(void) {
    static const char characters[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    for (int c = 0; c < 128; c++) {
        int plain = is_plain((Py_UCS4)c, 0x7E);
        written[c][0] = (char)c;
        written[c][7] = plain ? 1 : (char)(put_escape(written[c], (Py_UCS4)c) - written[c]);
    }
    for (int i = 0; i < 7; i++) {
        char *to = written[(unsigned char)characters[i]];
        to[1] = letters[i];
        to[7] = 2;
    }
}

static inline char *put_character(char *to, Py_UCS4 c, int ensure_ascii) {
    if (c < 0x7F) {
        memcpy(to, written[c], 8);
        return to + written[c][7];
    }
    if (!ensure_ascii) return to + bg_put_utf8(to, c);
    if (c < 0x10000) return put_escape(to, c);
    to = put_escape(to, Py_UNICODE_HIGH_SURROGATE(c));
    return put_escape(to, Py_UNICODE_LOW_SURROGATE(c));
}

#ifdef __SSE2__
/* Sixteen characters as bytes, or only eight, and zeros; what is not ASCII becomes 0 or a byte from
 * 0x80 on. */
static inline __m128i load_bytes(int kind, const void *data, Py_ssize_t at, int count) {
    const __m128i *from = (const __m128i *)((const char *)data + at * kind);
    const __m128i zeros = _mm_setzero_si128();
    if (kind == PyUnicode_1BYTE_KIND) {
        return count == 16 ? _mm_loadu_si128(from) : _mm_loadl_epi64(from);
    }
    if (kind == PyUnicode_2BYTE_KIND) {
        return _mm_packus_epi16(_mm_loadu_si128(from), count == 16 ? _mm_loadu_si128(from + 1) : zeros);
    }
    __m128i low = _mm_packs_epi32(_mm_loadu_si128(from), _mm_loadu_si128(from + 1));
    if (count != 16) return _mm_packus_epi16(low, zeros);
    __m128i high = _mm_packs_epi32(_mm_loadu_si128(from + 2), _mm_loadu_si128(from + 3));
    return _mm_packus_epi16(low, high);
}

/* A bit for each byte that is not plain. */
static inline unsigned special_bytes(__m128i bytes, Py_UCS4 highest) {
    /* Signed, so that bytes from 0x80 on are below the space as well. */
    __m128i special = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)(highest + 1))));
    return (unsigned)_mm_movemask_epi8(special);
}
#endif

/* Copy plain characters from `at` to the first that is not, or to `stop`; return where that is.
 * What is behind them in the output may be overwritten, but no more than `stop - at` bytes. */
static inline Py_ssize_t copy_plain(char *to, int kind, const void *data, Py_ssize_t at,
                                    Py_ssize_t stop, Py_UCS4 highest) {
#ifdef __SSE2__
    for (int count = 16; count >= 8; count -= 8) {
        while (stop - at >= count) {
            __m128i bytes = load_bytes(kind, data, at, count);
            if (count == 16) {
                _mm_storeu_si128((__m128i *)to, bytes);
            } else {
                _mm_storel_epi64((__m128i *)to, bytes);
            }
            unsigned special = special_bytes(bytes, highest) & ((1u << count) - 1);
            if (special != 0) return at + __builtin_ctz(special);
            at += count;
            to += count;
        }
    }
#endif
    for (; at < stop; at++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, at);
        if (!is_plain(c, highest)) break;
        *to++ = (char)c;
    }
    return at;
}

/* The character at `*at`, and step over it. Two surrogates that form a pair are the character that
 * they spell, any other is U+FFFD; and the text is unsound, since UTF-8 cannot write either. */
static inline Py_UCS4 sound_character(Pass *pass, int kind, const void *data, Py_ssize_t length,
                                      Py_ssize_t *at) {
    Py_UCS4 c = PyUnicode_READ(kind, data, *at);
    *at += 1;
    if (!Py_UNICODE_IS_SURROGATE(c)) return c;
    pass->is_unsound = 1;
    Py_UCS4 low = *at < length ? PyUnicode_READ(kind, data, *at) : 0;
    if (!Py_UNICODE_IS_HIGH_SURROGATE(c) || !Py_UNICODE_IS_LOW_SURROGATE(low)) return 0xFFFD;
    *at += 1;
    return Py_UNICODE_JOIN_SURROGATES(c, low);
}

static inline void write_characters(Pass *pass, int kind, const void *data, Py_ssize_t length) {
    int ensure_ascii = (pass->flags & BG_ENSURE_ASCII) != 0;
    Py_UCS4 highest = ensure_ascii ? 0x7E : 0x7F;
    int enough = kind == PyUnicode_1BYTE_KIND ? 1 : 3;
    for (Py_ssize_t at = 0; at < length;) {
        Py_ssize_t stop = Py_MIN(length, at + BLOCK);
        if (!reserve(pass, MOST_CHARACTER * (stop - at))) return;
        char *to = pass->data + pass->used;
        while (at < stop) {
            Py_ssize_t end = copy_plain(to, kind, data, at, stop, highest);
            to += end - at;
            at = end;
            /* Others come one by one, or many in a row with few plain ones between. */
            for (int ascii = 0; at < stop && ascii < enough;) {
                Py_UCS4 c = sound_character(pass, kind, data, length, &at);
                to = put_character(to, c, ensure_ascii);
                ascii = c < 0x80 ? ascii + 1 : 0;
            }
        }
        pass->used = to - pass->data;
    }
}

static void write_text(Pass *pass, PyObject *text) {
    if (!BG_IS_READY(text)) {
        hand_back(pass);
        return;
    }
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    const void *data = PyUnicode_DATA(text);
    pass->is_unsound = 0;
    if (length > BLOCK && !reserve(pass, length + BLOCK * MOST_CHARACTER)) return; /* at once */
    put(pass, "\"", 1);
    switch (PyUnicode_KIND(text)) { /* three copies of the loop, each for one width */
    case PyUnicode_1BYTE_KIND:
        write_characters(pass, PyUnicode_1BYTE_KIND, data, length);
        break;
    case PyUnicode_2BYTE_KIND:
        write_characters(pass, PyUnicode_2BYTE_KIND, data, length);
        break;
    default:
        write_characters(pass, PyUnicode_4BYTE_KIND, data, length);
    }
    put(pass, "\"", 1);
}

/* What was found. */

static Py_ssize_t add_record(Pass *pass, Record found) {
    if (pass->records_used >= MOST_RECORDS) hand_back(pass);
    if (pass->state != RUNNING
        || !make_room(pass, (void **)&pass->records, pass->records_used, &pass->records_size,
                      sizeof(Record))) {
        return -1;
    }
    Py_XINCREF(found.key);
    Py_XINCREF(found.type);
    pass->records[pass->records_used] = found;
    return pass->records_used++;
}

/* Record something in the member or element that is being written; its index, or -1. */
static Py_ssize_t record(Pass *pass, uint32_t code, PyTypeObject *type, Py_ssize_t start,
                         Py_ssize_t end) {
    Py_ssize_t level = pass->depth, place = 0;
    while (level > 0 && pass->frames[level - 1].place == 0) level--;
    if (level > 0) place = pass->frames[level - 1].place;
    for (; level < pass->depth; level++) { /* what has no place yet */
        Frame *frame = &pass->frames[level];
        Record its_place = {BG_PLACE, place, frame->key, frame->index, NULL, 0, 0};
        place = frame->place = 1 + add_record(pass, its_place);
    }
    Record found = {code, place, pass->key, pass->index, (PyObject *)type, start, end};
    return add_record(pass, found);
}

static void record_here(Pass *pass, uint32_t code, PyTypeObject *type) {
    record(pass, code, type, pass->used, pass->used);
}

/* Containers. */

static Py_ssize_t work_done(const Pass *pass) {
    return pass->used + CONTAINER_WORK * pass->containers;
}

static void check_repeated(Pass *pass) {
    Py_ssize_t work = work_done(pass), repeated = pass->repeated + work - pass->repeated_from;
    if (repeated > MOST_REPEATED && repeated > MOST_TIMES * (work - repeated)) hand_back(pass);
}

/* A container that more than one reference leads to may close a cycle, and then the walk decides:
 * where several cycles meet, which edge closes one depends on the order of the walk. */
static void check_shared(Pass *pass, PyObject *container) {
    if (!pass->may_be_shared) memset(pass->known, 0, sizeof pass->known);
    pass->may_be_shared = 1;
    pass->compared += pass->depth;
    for (Py_ssize_t level = pass->depth; level-- > 0;) {
        if (pass->frames[level].container == container) hand_back(pass);
    }
    if (pass->compared > MOST_COMPARED || pass->containers > MOST_CONTAINERS
        || pass->used > MOST_UNFOLDED) {
        hand_back(pass);
    }
    PyObject **known = &pass->known[((uintptr_t)container >> 4) % KNOWN];
    if (*known == container && pass->repeating == 0) {
        pass->repeating = pass->depth + 1;
        pass->repeated_from = work_done(pass);
    }
    *known = container;
}

static Outcome open_container(Pass *pass, PyObject *container) {
    int is_object = PyDict_Check(container);
    if (pass->depth >= MOST_LEVELS) {
        hand_back(pass);
        return DONE;
    }
    if ((is_object ? PyDict_GET_SIZE(container) : Py_SIZE(container)) == 0) {
        put(pass, is_object ? "{}" : "[]", 2);
        return DONE;
    }
    /* Without a second reference there is no second way to it. The caller's own to the body itself
     * does not count: another way to that is a cycle. */
    if (pass->depth > 0 && Py_REFCNT(container) > 1) check_shared(pass, container);
    pass->containers++;
    if (pass->repeating) check_repeated(pass);
    if (pass->state != RUNNING
        || !make_room(pass, (void **)&pass->frames, pass->depth, &pass->frames_size,
                      sizeof(Frame))) {
        return DONE;
    }
    Py_INCREF(container);
    Frame frame = {container, Py_XNewRef(pass->key), pass->index, 0, -1, 0, is_object};
    pass->frames[pass->depth++] = frame;
    put(pass, is_object ? "{" : "[", 1);
    return OPENED;
}

static void drop_frame(Pass *pass) {
    Frame *frame = &pass->frames[--pass->depth];
    Py_XDECREF(frame->key);
    Py_DECREF(frame->container);
}

static void close_container(Pass *pass) {
    Frame *frame = innermost(pass);
    put(pass, frame->is_object ? "}" : "]", 1);
    if (frame->note >= 0) pass->records[frame->note].end = pass->used;
    if (pass->depth == pass->repeating) {
        pass->repeated += work_done(pass) - pass->repeated_from;
        pass->repeating = 0;
    }
    drop_frame(pass);
}

/* A dict subclass: json asks its `items`, which is the dict's own, or the walk's business.
 *
 * The lookup compares names in the namespaces of classes; one that was given a key of a hostile
 * class runs its __eq__. So what is borrowed here is held on to meanwhile; frames hold theirs. */
static Outcome open_dict_subclass(Pass *pass, PyObject *container) {
    PyObject *key = Py_XNewRef(pass->key);
    Py_INCREF(container);
    Outcome outcome = DONE;
    if (PyDict_GET_SIZE(container) == 0 /* json does not ask then */
        || _PyType_Lookup(Py_TYPE(container), pass->module->items) == pass->module->dict_items) {
        outcome = open_container(pass, container);
    } else {
        hand_back(pass);
    }
    Py_DECREF(container);
    Py_XDECREF(key);
    return outcome;
}

/* Values. */

static void write_large_int(Pass *pass, PyObject *number) {
    /* Over the limit there would be an exception, which the collector tracks. */
    if (_PyLong_NumBits(number) > MOST_BITS) {
        hand_back(pass);
        return;
    }
    PyObject *digits = PyLong_Type.tp_repr(number);
    if (digits == NULL) {
        fail(pass);
        return;
    }
    put(pass, PyUnicode_DATA(digits), PyUnicode_GET_LENGTH(digits));
    Py_DECREF(digits);
}

static void write_int(Pass *pass, PyObject *number) {
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow) {
        write_large_int(pass, number);
        return;
    }
    char digits[20], *end = digits + sizeof digits, *at = end;
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) *--at = '-';
    put(pass, at, end - at);
}

static void write_float(Pass *pass, PyObject *value) {
    double number = PyFloat_AS_DOUBLE(value);
    if (!isfinite(number)) {
        record_here(pass, BG_NON_FINITE, Py_TYPE(value));
        put(pass, "null", 4);
        return;
    }
    char *digits = PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (digits == NULL) {
        fail(pass);
        return;
    }
    put(pass, digits, (Py_ssize_t)strlen(digits));
    PyMem_Free(digits);
}

static void write_str(Pass *pass, PyObject *value) {
    Py_ssize_t start = pass->used;
    write_text(pass, value);
    if (pass->is_unsound) record(pass, BG_SURROGATE, Py_TYPE(value), start, start);
}

/* A value of a class that is not json's own. None of its code is run. */
static Outcome write_foreign(Pass *pass, PyObject *value) {
    PyTypeObject *type = Py_TYPE(value);
    if (pass->flags & BG_HAND_BACK_FOREIGN) {
        hand_back(pass);
    } else if (PyDict_Check(value)) {
        return open_dict_subclass(pass, value);
    } else if (PyList_Check(value) ? type->tp_iter == PyList_Type.tp_iter
                                   : PyTuple_Check(value) && type->tp_iter == PyTuple_Type.tp_iter) {
        return open_container(pass, value);
    } else if (PyUnicode_Check(value)) {
        write_str(pass, value);
    } else if (PyLong_Check(value)) {
        write_int(pass, value);
    } else if (PyFloat_Check(value)) {
        write_float(pass, value);
    } else if (PyList_Check(value) || PyTuple_Check(value) || pass->depth == 0
               || (pass->flags & BG_HAND_BACK_UNSERIALIZABLE)) {
        hand_back(pass);
    } else {
        return GONE;
    }
    return DONE;
}

static Outcome write_value(Pass *pass, PyObject *value) {
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyDict_Type || type == &PyList_Type || type == &PyTuple_Type) {
        return open_container(pass, value);
    }
    if (type == &PyUnicode_Type) {
        write_str(pass, value);
    } else if (type == &PyLong_Type) {
        write_int(pass, value);
    } else if (type == &PyFloat_Type) {
        write_float(pass, value);
    } else if (value == Py_None) {
        put(pass, "null", 4);
    } else if (type == &PyBool_Type) {
        put(pass, value == Py_True ? "true" : "false", value == Py_True ? 4 : 5);
    } else {
        return write_foreign(pass, value);
    }
    return DONE;
}

/* Members and elements. */

/* Whether two of these keys in one dict have two names, and nothing has to be asked of a key. */
static int is_name(PyObject *key) {
    PyTypeObject *type = Py_TYPE(key);
    return type == &PyUnicode_Type
           || (PyUnicode_Check(key) && type->tp_hash == PyUnicode_Type.tp_hash
               && type->tp_richcompare == PyUnicode_Type.tp_richcompare);
}

/* Other keys: of what json coerces, or may coerce to one name, the walk takes care; the rest has no
 * name, and its member goes. */
static void skip_member(Pass *pass, PyObject *key) {
    if (PyUnicode_Check(key) || PyLong_Check(key) || PyFloat_Check(key) || key == Py_None
        || (pass->flags & BG_HAND_BACK_UNSERIALIZABLE)) {
        hand_back(pass);
        return;
    }
    pass->key = NULL;
    record_here(pass, BG_BAD_KEY, Py_TYPE(key));
}

static void write_name(Pass *pass, PyObject *key) {
    write_text(pass, key);
    if (pass->is_unsound) hand_back(pass); /* made sound, it may be the name of another member */
    put(pass, pass->colon, pass->colon_size);
}

static Outcome write_member(Pass *pass, PyObject *key, PyObject *value) {
    pass->key = key;
    if (!is_name(key) || !BG_IS_READY(key)) {
        skip_member(pass, key);
        return DONE;
    }
    PyTypeObject *type = Py_TYPE(value);
    uint32_t found = bg_keys_find_unicode(pass->keys, key);
    if (found & BG_CUT) {
        record_here(pass, found, type);
        return DONE;
    }
    Py_ssize_t before = pass->used;
    /* No member ends with this bracket: where it stands, there is none yet. */
    if (pass->data[before - 1] != '{') put(pass, pass->comma, pass->comma_size);
    Py_ssize_t start = pass->used;
    write_name(pass, key);
    Py_ssize_t note = found == 0 ? -1 : record(pass, found, type, start, start);
    Outcome outcome = write_value(pass, value);
    if (pass->state != RUNNING) return DONE;
    if (outcome == OPENED) {
        innermost(pass)->note = note;
    } else if (outcome == GONE && note < 0) {
        pass->used = before;
        record_here(pass, BG_UNSERIALIZABLE, type);
    } else if (outcome == GONE) { /* it stays for now: its rule may replace the value */
        put(pass, "null", 4);
        record(pass, BG_HELD, type, start, pass->used);
    }
    if (outcome != OPENED && note >= 0) pass->records[note].end = pass->used;
    return outcome;
}

static Outcome write_element(Pass *pass, PyObject *value) {
    pass->key = NULL;
    if (pass->index > 0) put(pass, pass->comma, pass->comma_size);
    Outcome outcome = write_value(pass, value);
    if (outcome == GONE) {
        record_here(pass, BG_UNSERIALIZABLE, Py_TYPE(value));
        put(pass, "null", 4);
    }
    return outcome;
}

/* Write members up to the next container, or to the end. */
static void write_members(Pass *pass) {
    Frame *frame = innermost(pass);
    PyObject *key, *value;
    Outcome outcome = DONE;
    while (outcome != OPENED && PyDict_Next(frame->container, &frame->next, &key, &value)) {
        outcome = write_member(pass, key, value);
        if (pass->state != RUNNING) return;
    }
    if (outcome != OPENED) close_container(pass);
}

static void write_elements(Pass *pass) {
    Frame *frame = innermost(pass);
    int is_list = PyList_Check(frame->container);
    Outcome outcome = DONE;
    while (outcome != OPENED && frame->next < Py_SIZE(frame->container)) {
        Py_ssize_t index = pass->index = frame->next++;
        outcome = write_element(pass, is_list ? PyList_GET_ITEM(frame->container, index)
                                              : PyTuple_GET_ITEM(frame->container, index));
        if (pass->state != RUNNING) return;
    }
    if (outcome != OPENED) close_container(pass);
}

static void write_body(Pass *pass, PyObject *value) {
    write_value(pass, value);
    while (pass->depth > 0 && pass->state == RUNNING) {
        if (innermost(pass)->is_object) {
            write_members(pass);
        } else {
            write_elements(pass);
        }
    }
    if (pass->used > pass->max_bytes) hand_back(pass);
}

/* The end: from here on Python code may run, and only what the pass itself holds is touched. */

/* The key of a record: exactly str, or an index; None for a key that is no name. */
static PyObject *key_of(const Record *found) {
    if (found->key != NULL) return PyUnicode_FromObject(found->key);
    return found->code == BG_BAD_KEY ? Py_NewRef(Py_None) : PyLong_FromSsize_t(found->index);
}

static PyObject *records_as_list(const Pass *pass) {
    PyObject *list = PyList_New(pass->records_used);
    for (Py_ssize_t i = 0; list != NULL && i < pass->records_used; i++) {
        const Record *found = &pass->records[i];
        PyObject *type = found->type == NULL ? Py_None : found->type;
        PyObject *item = Py_BuildValue("(InNOnn)", found->code, found->place, key_of(found), type,
                                       found->start, found->end);
        if (item == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, i, item);
        }
    }
    return list;
}

static PyObject *result_of(Pass *pass) {
    if (pass->state == FAILED) return NULL;
    if (pass->state == HANDED_BACK) return Py_NewRef(Py_None);
    if (_PyBytes_Resize(&pass->bytes, pass->used) < 0) return NULL;
    PyObject *records = pass->records_used ? records_as_list(pass) : Py_NewRef(Py_None);
    return records == NULL ? NULL : Py_BuildValue("(ON)", pass->bytes, records);
}

static void release(Pass *pass) {
    while (pass->depth > 0) drop_frame(pass);
    for (Py_ssize_t i = 0; i < pass->records_used; i++) {
        Py_XDECREF(pass->records[i].key);
        Py_XDECREF(pass->records[i].type);
    }
    PyMem_Free(pass->frames);
    PyMem_Free(pass->records);
    Py_XDECREF(pass->bytes);
}

static PyObject *encode(PyObject *module, PyObject *args) {
    PyObject *value, *keys;
    Pass pass;
    memset(&pass, 0, offsetof(Pass, known)); /* the rest takes longer than a small body */
    pass.module = PyModule_GetState(module);
    pass.size = BLOCK * MOST_CHARACTER;
    if (!PyArg_ParseTuple(args, "OO!nks#s#:encode", &value, pass.module->key_table, &keys,
                          &pass.max_bytes, &pass.flags, &pass.comma, &pass.comma_size, &pass.colon,
                          &pass.colon_size)) {
        return NULL;
    }
    pass.keys = (KeyTable *)keys;
    pass.max_bytes = Py_MIN(pass.max_bytes, PY_SSIZE_T_MAX / 4);
    pass.bytes = PyBytes_FromStringAndSize(NULL, pass.size);
    if (pass.bytes == NULL) return NULL;
    pass.data = PyBytes_AS_STRING(pass.bytes);
    write_body(&pass, value);
    PyObject *result = result_of(&pass);
    release(&pass);
    return result;
}

/* The module. */

static const struct {
    const char *name;
    long value;
} constants[] = {
    {"CUT", BG_CUT},
    {"INDEX_SHIFT", BG_INDEX_SHIFT},
    {"ENSURE_ASCII", BG_ENSURE_ASCII},
    {"HAND_BACK_UNSERIALIZABLE", BG_HAND_BACK_UNSERIALIZABLE},
    {"HAND_BACK_FOREIGN", BG_HAND_BACK_FOREIGN},
    {"PLACE", BG_PLACE},
    {"UNSERIALIZABLE", BG_UNSERIALIZABLE},
    {"HELD", BG_HELD},
    {"BAD_KEY", BG_BAD_KEY},
    {"NON_FINITE", BG_NON_FINITE},
    {"SURROGATE", BG_SURROGATE},
};

static int module_exec(PyObject *module) {
    fill_written();
    BgState *state = PyModule_GetState(module);
    state->key_table = (PyTypeObject *)PyType_FromModuleAndSpec(module, &bg_keys_spec, NULL);
    if (state->key_table == NULL || PyModule_AddType(module, state->key_table) < 0) return -1;
    state->items = PyUnicode_InternFromString("items");
    if (state->items == NULL) return -1;
    state->dict_items = Py_XNewRef(_PyType_Lookup(&PyDict_Type, state->items));
    for (size_t i = 0; i < Py_ARRAY_LENGTH(constants); i++) {
        if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value) < 0) return -1;
    }
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    BgState *state = PyModule_GetState(module);
    Py_VISIT(state->key_table);
    Py_VISIT(state->items);
    Py_VISIT(state->dict_items);
    return 0;
}

static int module_clear(PyObject *module) {
    BgState *state = PyModule_GetState(module);
    Py_CLEAR(state->key_table);
    Py_CLEAR(state->items);
    Py_CLEAR(state->dict_items);
    return 0;
}

static void module_free(void *module) {
    module_clear(module);
}

static PyMethodDef module_methods[] = {
    {"encode", encode, METH_VARARGS,
     "Encode a value less what must not leave; None where the walk has to."},
    {"scan", (PyCFunction)(void (*)(void))bg_scan, METH_FASTCALL,
     "Find the members whose names are in a key table."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_speedups",
    .m_doc = "One pass over a body in C; see _speedups.pyi.",
    .m_size = sizeof(BgState),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__speedups(void) {
    return PyModuleDef_Init(&module_definition);
}
