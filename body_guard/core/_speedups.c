/* The compiled pass: an accelerator of `body_guard.core` with one meaning, that of walk and json.
 *
 * One loop looks at a value and writes it. Between its first look and its last byte no Python code
 * runs: nothing is allocated that the garbage collector tracks (on 3.10 and 3.11 that may run
 * finalizers), no object loses its last reference, and what is found stays in C memory until the
 * end. So what was judged is what was written, and borrowed references stay good.
 *
 * Py_mod_gil is left undeclared: where the GIL is off, to import this would switch it on, so
 * accelerator.py does without it there.
 */

#include "_speedups.h"

#include <math.h>
#include <stddef.h>

/* Flags of encode. */
#define ENSURE_ASCII 1ul
#define HAND_BACK_UNSERIALIZABLE 2ul /* what json cannot write is not just removed */
#define HAND_BACK_FOREIGN 4ul        /* rules may match values by their class */
#define UNFOLD 8ul                   /* it has no cycle, and its size is known */

/* What is recorded besides the values of names, all of which are larger. */
#define PLACE 0u /* no finding: a container in which something was found */
#define UNSERIALIZABLE 1u
#define HELD 2u /* the same, of a member that stands there yet, with null */
#define BAD_KEY 3u
#define NON_FINITE 4u
#define SURROGATE 5u

#define MOST_LEVELS 2000    /* DEEPEST of encode.py */
#define MOST_RECORDS 100000 /* a body with more faults is the walk's */
#define MOST_BITS 2000      /* of an int: surely within the interpreter's digit limit */
#define BLOCK 1024          /* characters for which room is made at once, */
#define MOST_CHARACTER 12   /* this many bytes for each: a pair of escapes */

/* Work is what was written, and this much for each container. A body that is no tree can unfold
 * without end: the walk, which is linear, decides once more work was repeated than this, and this
 * many times what was done once; or, since not every repetition is noticed, after so much work in
 * all. */
#define CONTAINER_WORK 64
#define MOST_REPEATED ((Py_ssize_t)1 << 20)
#define MOST_TIMES 8
#define MOST_WORK ((Py_ssize_t)64 << 20)
#define KNOWN 1024 /* containers that are recognized */

typedef enum { RUNNING, HANDED_BACK, FAILED } State; /* FAILED: an exception is set */

/* What became of a value: a container of which a frame is open; GONE: json cannot write it, and
 * nothing was written; else DONE, or the pass has stopped. */
typedef enum { DONE, OPENED, GONE } Outcome;

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
    uint32_t code;         /* what was found, or the value of a name */
    Py_ssize_t place;      /* 1 + the index of the record of the container around it, or 0 */
    PyObject *key;         /* strong; NULL in an array */
    Py_ssize_t index;
    PyObject *type;        /* of the value, or of a key that is no name; strong; NULL of a place */
    Py_ssize_t start, end; /* of the member in the output; or where something is not any more */
} Record;

typedef struct {
    State state;
    const BgKeys *keys;
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

    Py_ssize_t work;          /* besides what was written */
    Py_ssize_t repeating;     /* the depth of the outermost container that was met before, or 0 */
    Py_ssize_t repeated_from; /* the work done when it was opened, */
    Py_ssize_t repeated;      /* and the work that was repeated before it */
    int may_be_shared; /* whether a container was met that several references lead to, and if so */
    PyObject *known[KNOWN]; /* the last of them, by their address; borrowed, only compared */
} Pass;

static inline Frame *innermost(const Pass *pass) {
    return &pass->frames[pass->depth - 1];
}

static Outcome hand_back(Pass *pass) {
    if (pass->state == RUNNING) pass->state = HANDED_BACK;
    return DONE;
}

static Outcome fail(Pass *pass) {
    pass->state = FAILED;
    pass->used = pass->size; /* nothing is written any more */
    return DONE;
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

static Outcome write_word(Pass *pass, const char *word) {
    put(pass, word, (Py_ssize_t)strlen(word));
    return DONE;
}

/* Text. */

static char *put_unit(char *to, Py_UCS4 unit) {
    static const char hex[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) *to++ = hex[unit >> shift & 15];
    return to;
}

static inline char *put_character(char *to, Py_UCS4 c, int ensure_ascii) {
    static const char letters[0x80] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
                                       ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\'};
    if (c < 0x80 && letters[c] != 0) {
        *to++ = '\\';
        *to++ = letters[c];
        return to;
    }
    if (c >= 0x20 && (c < 0x7F || !ensure_ascii)) return bg_put_utf8(to, c);
    if (c < 0x10000) return put_unit(to, c);
    return put_unit(put_unit(to, Py_UNICODE_HIGH_SURROGATE(c)), Py_UNICODE_LOW_SURROGATE(c));
}

/* What a surrogate becomes that stands before `*at`. Two that form a pair are the character that
 * they spell, any other is U+FFFD; and the text is unsound, since UTF-8 cannot write either. */
static inline Py_UCS4 sound_character(Pass *pass, int kind, const void *data, Py_ssize_t length,
                                      Py_ssize_t *at, Py_UCS4 c) {
    pass->is_unsound = 1;
    Py_UCS4 low = *at < length ? PyUnicode_READ(kind, data, *at) : 0;
    if (!Py_UNICODE_IS_HIGH_SURROGATE(c) || !Py_UNICODE_IS_LOW_SURROGATE(low)) return 0xFFFD;
    *at += 1;
    return Py_UNICODE_JOIN_SURROGATES(c, low);
}

#ifdef BG_SSE2
/* Sixteen characters as bytes; what is not ASCII becomes 0 or a byte from 0x80 on. */
static inline __m128i load_bytes(int kind, const void *data, Py_ssize_t at) {
    const __m128i *from = (const __m128i *)((const char *)data + at * kind);
    __m128i low = _mm_loadu_si128(from);
    if (kind == PyUnicode_1BYTE_KIND) return low;
    __m128i high = _mm_loadu_si128(from + 1);
    if (kind == PyUnicode_2BYTE_KIND) return _mm_packus_epi16(low, high);
    low = _mm_packs_epi32(low, high);
    high = _mm_packs_epi32(_mm_loadu_si128(from + 2), _mm_loadu_si128(from + 3));
    return _mm_packus_epi16(low, high);
}
#endif

/* Copy characters up to the highest from `at` to the first that is not plain, or to `stop`; return
 * where that is. What is behind them in the output may be overwritten, up to `stop - at` bytes. */
static inline Py_ssize_t copy_plain(char *to, int kind, const void *data, Py_ssize_t at,
                                    Py_ssize_t stop, Py_UCS4 highest) {
#ifdef BG_SSE2
    for (; stop - at >= 16; at += 16, to += 16) {
        __m128i bytes = load_bytes(kind, data, at);
        _mm_storeu_si128((__m128i *)to, bytes);
        __m128i higher = _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)(highest + 1)));
        unsigned found = bg_find_specials(bytes);
        found |= (unsigned)_mm_movemask_epi8(_mm_or_si128(bytes, higher));
        if (found != 0) return at + __builtin_ctz(found);
    }
#endif
    for (; at < stop; at++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, at);
        if (!bg_is_plain(c) || c > highest) break;
        *to++ = (char)c;
    }
    return at;
}

static inline void write_characters(Pass *pass, int kind, const void *data, Py_ssize_t length) {
    int ensure_ascii = (pass->flags & ENSURE_ASCII) != 0;
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
                Py_UCS4 c = PyUnicode_READ(kind, data, at++);
                if (Py_UNICODE_IS_SURROGATE(c)) c = sound_character(pass, kind, data, length, &at, c);
                to = put_character(to, c, ensure_ascii);
                ascii = c < 0x80 ? ascii + 1 : 0;
            }
        }
        pass->used = to - pass->data;
    }
}

static void write_text(Pass *pass, PyObject *text) {
    pass->is_unsound = 0;
    if (PyUnicode_READY(text) < 0) fail(pass); /* before 3.12 */
    if (pass->state != RUNNING) return;
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    const void *data = PyUnicode_DATA(text);
    if (length > BLOCK && !reserve(pass, length + BLOCK * MOST_CHARACTER)) return; /* at once */
    put(pass, "\"", 1);
    int kind = (int)PyUnicode_KIND(text); /* a copy of the loop for each but the rarest */
    if (kind == PyUnicode_1BYTE_KIND) {
        write_characters(pass, PyUnicode_1BYTE_KIND, data, length);
    } else if (kind == PyUnicode_2BYTE_KIND) {
        write_characters(pass, PyUnicode_2BYTE_KIND, data, length);
    } else {
        write_characters(pass, kind, data, length);
    }
    put(pass, "\"", 1);
}

/* What was found. */

static Py_ssize_t add_record(Pass *pass, Record found) {
    if (pass->records_used >= MOST_RECORDS) hand_back(pass);
    if (BG_MAKE_ROOM(pass->records, pass->records_used, pass->records_size) < 0) fail(pass);
    if (pass->state != RUNNING) return -1;
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
        Record its_place = {PLACE, place, frame->key, frame->index, NULL, 0, 0};
        place = frame->place = 1 + add_record(pass, its_place);
    }
    Record found = {code, place, pass->key, pass->index, (PyObject *)type, start, end};
    return add_record(pass, found);
}

static void record_here(Pass *pass, uint32_t code, PyTypeObject *type) {
    record(pass, code, type, pass->used, pass->used);
}

/* Containers. */

/* Called for each container, with what it takes. */
static void add_work(Pass *pass, Py_ssize_t work) {
    pass->work += work;
    Py_ssize_t done = pass->used + pass->work;
    if (pass->may_be_shared && done > MOST_WORK) hand_back(pass);
    if (pass->repeating == 0) return;
    Py_ssize_t repeated = pass->repeated + done - pass->repeated_from;
    if (repeated > MOST_REPEATED && repeated > MOST_TIMES * (done - repeated)) hand_back(pass);
}

/* A container that more than one reference leads to may close a cycle, and then the walk decides:
 * where several cycles meet, which edge closes one depends on the order of the walk. */
static void check_shared(Pass *pass, PyObject *container) {
    if (pass->flags & UNFOLD) return;
    if (!pass->may_be_shared) memset(pass->known, 0, sizeof pass->known);
    pass->may_be_shared = 1;
    for (Py_ssize_t level = pass->depth; level-- > 0;) {
        if (pass->frames[level].container == container) hand_back(pass);
    }
    PyObject **known = &pass->known[((uintptr_t)container >> 4) % KNOWN];
    if (*known == container && pass->repeating == 0) {
        pass->repeating = pass->depth + 1;
        pass->repeated_from = pass->used + pass->work;
    }
    *known = container;
    add_work(pass, pass->depth);
}

static Outcome open_container(Pass *pass, PyObject *container) {
    int is_object = PyDict_Check(container);
    if (pass->depth >= MOST_LEVELS) return hand_back(pass);
    if (is_object && PyDict_GET_SIZE(container) == 0) return write_word(pass, "{}");
    if (!is_object && Py_SIZE(container) == 0) return write_word(pass, "[]");
    /* Without a second reference there is no second way to it. The caller's own to the body itself
     * does not count: another way to that is a cycle. */
    if (pass->depth > 0 && Py_REFCNT(container) > 1) check_shared(pass, container);
    add_work(pass, CONTAINER_WORK);
    if (BG_MAKE_ROOM(pass->frames, pass->depth, pass->frames_size) < 0) fail(pass);
    if (pass->state != RUNNING) return DONE;
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
        pass->repeated += pass->used + pass->work - pass->repeated_from;
        pass->repeating = 0;
    }
    drop_frame(pass);
}

/* Open a dict, unless json would ask its class for the items: then it is the walk's.
 *
 * The lookup compares names in the namespaces of classes; one that was given a key of a hostile
 * class runs its __eq__. So what is borrowed here is held on to meanwhile; frames hold theirs. */
static Outcome open_dict(Pass *pass, PyObject *container) {
    if (PyDict_CheckExact(container) || PyDict_GET_SIZE(container) == 0) { /* json asks neither */
        return open_container(pass, container);
    }
    PyObject *key = Py_XNewRef(pass->key), *items = PyUnicode_InternFromString("items");
    Outcome outcome = DONE;
    Py_INCREF(container);
    if (items == NULL) {
        fail(pass);
    } else if (_PyType_Lookup(Py_TYPE(container), items) != _PyType_Lookup(&PyDict_Type, items)) {
        hand_back(pass);
    } else {
        outcome = open_container(pass, container);
    }
    Py_DECREF(container);
    Py_XDECREF(items);
    Py_XDECREF(key);
    return outcome;
}

static Outcome open_array(Pass *pass, PyObject *container) {
    PyTypeObject *base = PyList_Check(container) ? &PyList_Type : &PyTuple_Type;
    if (Py_TYPE(container)->tp_iter != base->tp_iter) return hand_back(pass);
    return open_container(pass, container);
}

/* Values. */

static Outcome write_large_int(Pass *pass, PyObject *number) {
    /* Over the limit there would be an exception, which the collector tracks. */
    if (_PyLong_NumBits(number) > MOST_BITS) return hand_back(pass);
    PyObject *digits = PyLong_Type.tp_repr(number);
    if (digits == NULL) return fail(pass);
    put(pass, PyUnicode_DATA(digits), PyUnicode_GET_LENGTH(digits));
    Py_DECREF(digits);
    return DONE;
}

static Outcome write_int(Pass *pass, PyObject *number) {
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow) return write_large_int(pass, number);
    char digits[20], *end = digits + sizeof digits, *at = end;
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) *--at = '-';
    put(pass, at, end - at);
    return DONE;
}

static Outcome write_float(Pass *pass, PyObject *value) {
    double number = PyFloat_AS_DOUBLE(value);
    if (!isfinite(number)) {
        record_here(pass, NON_FINITE, Py_TYPE(value));
        return write_word(pass, "null");
    }
    char *digits = PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (digits == NULL) return fail(pass);
    put(pass, digits, (Py_ssize_t)strlen(digits));
    PyMem_Free(digits);
    return DONE;
}

static Outcome write_str(Pass *pass, PyObject *value) {
    Py_ssize_t start = pass->used;
    write_text(pass, value);
    if (pass->is_unsound) record(pass, SURROGATE, Py_TYPE(value), start, start);
    return DONE;
}

/* Whether the class of a value is one that json's own decoder makes, or tuple. */
static int is_jsons_own(PyObject *value) {
    return PyDict_CheckExact(value) || PyList_CheckExact(value) || PyTuple_CheckExact(value)
           || PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || PyFloat_CheckExact(value);
}

/* No code of its class is run: these checks look at flags of the type. */
static Outcome write_value(Pass *pass, PyObject *value) {
    if (value == Py_None) return write_word(pass, "null");
    if (PyBool_Check(value)) return write_word(pass, value == Py_True ? "true" : "false");
    if ((pass->flags & HAND_BACK_FOREIGN) && !is_jsons_own(value)) return hand_back(pass);
    if (PyUnicode_Check(value)) return write_str(pass, value);
    if (PyDict_Check(value)) return open_dict(pass, value);
    if (PyList_Check(value) || PyTuple_Check(value)) return open_array(pass, value);
    if (PyLong_Check(value)) return write_int(pass, value);
    if (PyFloat_Check(value)) return write_float(pass, value);
    if (pass->depth == 0 || (pass->flags & HAND_BACK_UNSERIALIZABLE)) return hand_back(pass);
    return GONE;
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
static Outcome skip_member(Pass *pass, PyObject *key) {
    if (PyUnicode_Check(key) || PyLong_Check(key) || PyFloat_Check(key) || key == Py_None
        || (pass->flags & HAND_BACK_UNSERIALIZABLE)) {
        return hand_back(pass);
    }
    pass->key = NULL;
    record_here(pass, BAD_KEY, Py_TYPE(key));
    return DONE;
}

static Outcome write_member(Pass *pass, PyObject *key, PyObject *value) {
    pass->key = key;
    if (!is_name(key)) return skip_member(pass, key);
    if (PyUnicode_READY(key) < 0) return fail(pass); /* before 3.12 */
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
    write_text(pass, key);
    if (pass->is_unsound) hand_back(pass); /* made sound, it may be the name of another member */
    put(pass, pass->colon, pass->colon_size);
    Py_ssize_t note = found == 0 ? -1 : record(pass, found, type, start, start);
    Outcome outcome = write_value(pass, value);
    if (pass->state != RUNNING) return DONE;
    if (outcome == OPENED) {
        innermost(pass)->note = note;
    } else if (outcome == GONE && note < 0) {
        pass->used = before;
        record_here(pass, UNSERIALIZABLE, type);
    } else if (outcome == GONE) { /* it stays for now: its rule may replace the value */
        put(pass, "null", 4);
        record(pass, HELD, type, start, pass->used);
    }
    if (outcome != OPENED && note >= 0) pass->records[note].end = pass->used;
    return outcome;
}

static Outcome write_element(Pass *pass, PyObject *value) {
    pass->key = NULL;
    if (pass->index > 0) put(pass, pass->comma, pass->comma_size);
    Outcome outcome = write_value(pass, value);
    if (outcome == GONE) {
        record_here(pass, UNSERIALIZABLE, Py_TYPE(value));
        put(pass, "null", 4);
    }
    return outcome;
}

static int next_item(Pass *pass, Frame *frame, PyObject **key, PyObject **value) {
    if (frame->is_object) return PyDict_Next(frame->container, &frame->next, key, value);
    if (frame->next >= PySequence_Fast_GET_SIZE(frame->container)) return 0;
    *key = NULL;
    *value = PySequence_Fast_GET_ITEM(frame->container, frame->next);
    pass->index = frame->next++;
    return 1;
}

/* Write what is in a container up to the next container in it, or to the end. */
static void write_items(Pass *pass) {
    Frame *frame = innermost(pass);
    PyObject *key, *value;
    Outcome outcome = DONE;
    while (outcome != OPENED && next_item(pass, frame, &key, &value)) {
        outcome = key != NULL ? write_member(pass, key, value) : write_element(pass, value);
        if (pass->state != RUNNING) return;
    }
    if (outcome != OPENED) close_container(pass);
}

static void write_body(Pass *pass, PyObject *value) {
    write_value(pass, value);
    while (pass->depth > 0 && pass->state == RUNNING) write_items(pass);
    if (pass->used > pass->max_bytes) hand_back(pass);
}

/* The end: from here on Python code may run, and only what the pass itself holds is touched. */

/* The key of a record: exactly str, or an index; None for a key that is no name. */
static PyObject *key_of(const Record *found) {
    if (found->key != NULL) return PyUnicode_FromObject(found->key);
    return found->code == BAD_KEY ? Py_NewRef(Py_None) : PyLong_FromSsize_t(found->index);
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

static PyObject *encode(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *value, *keys;
    Pass pass;
    memset(&pass, 0, offsetof(Pass, known)); /* the rest takes longer than a small body */
    pass.size = BLOCK * MOST_CHARACTER;
    if (!PyArg_ParseTuple(args, "OOnks#s#:encode", &value, &keys, &pass.max_bytes, &pass.flags,
                          &pass.comma, &pass.comma_size, &pass.colon, &pass.colon_size)) {
        return NULL;
    }
    pass.keys = PyCapsule_GetPointer(keys, BG_KEYS);
    pass.bytes = pass.keys == NULL ? NULL : PyBytes_FromStringAndSize(NULL, pass.size);
    if (pass.bytes == NULL) return NULL;
    pass.data = PyBytes_AS_STRING(pass.bytes);
    pass.max_bytes = Py_MIN(pass.max_bytes, PY_SSIZE_T_MAX / 4);
    write_body(&pass, value);
    PyObject *result = result_of(&pass);
    release(&pass);
    return result;
}

/* The module. */

static int module_exec(PyObject *module) {
    return -(PyModule_AddIntConstant(module, "CUT", BG_CUT) < 0
             || PyModule_AddIntMacro(module, ENSURE_ASCII) < 0
             || PyModule_AddIntMacro(module, HAND_BACK_UNSERIALIZABLE) < 0
             || PyModule_AddIntMacro(module, HAND_BACK_FOREIGN) < 0
             || PyModule_AddIntMacro(module, UNFOLD) < 0
             || PyModule_AddIntMacro(module, PLACE) < 0
             || PyModule_AddIntMacro(module, UNSERIALIZABLE) < 0
             || PyModule_AddIntMacro(module, HELD) < 0
             || PyModule_AddIntMacro(module, BAD_KEY) < 0
             || PyModule_AddIntMacro(module, NON_FINITE) < 0
             || PyModule_AddIntMacro(module, SURROGATE) < 0);
}

static PyMethodDef module_methods[] = {
    {"key_table", bg_key_table, METH_VARARGS, "Return names and prefixes as a table."},
    {"encode", encode, METH_VARARGS, "Encode a value less what must not leave."},
    {"scan", (PyCFunction)(void (*)(void))bg_scan, METH_FASTCALL, "Find names in JSON text."},
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
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__speedups(void) {
    return PyModuleDef_Init(&module_definition);
}
