/* scan: one pass over JSON text that finds the members whose names are in a key table.
 *
 * The grammar is that of Python's json: RFC 8259, and NaN, Infinity and -Infinity. Whether strings
 * are valid UTF-8 is not asked. Behind the last byte of a bytes object stands a NUL, which no token
 * contains: only what reads several bytes at once has to know where the text ends. */

#include "_speedups.h"

#include <stddef.h>
#include <string.h>

#if defined(__SSE2__) && defined(__GNUC__)
#define HAVE_SSE2 1
#include <emmintrin.h>
#else
#define HAVE_SSE2 0
#endif

#define MOST_LEVELS 1000000 /* a body of opening brackets ends here, not in the swap space */
#define FEW_LEVELS 32       /* for which no memory is allocated */

/* The rows of the answer; _speedups.pyi says what the columns are. */
typedef struct {
    int64_t container, position, value, name, start, end;
} Member;

typedef struct {
    int64_t parent, token;
} Container;

/* Rows in a bytes object with room for more of them, so that they are handed over as they are. */
typedef struct {
    PyObject *bytes;
    Py_ssize_t size, count;
} Rows;

/* An open container. The lowest one stands for what is around the texts: an array of them. */
typedef struct {
    Py_ssize_t name;  /* where the name of the member at hand begins; in an array, -1 */
    Py_ssize_t index; /* of the member or element at hand */
    Py_ssize_t row;   /* its own among the containers; -1 as long as it has none */
    Py_ssize_t noted; /* the row of the member at hand among the members, or -1 */
} Level;

typedef enum { RUNNING, NO_JSON, TOO_DEEP, FAILED } Outcome;

typedef struct {
    const char *text, *end;
    const KeyTable *keys;
    int records;
    Level *levels;
    Py_ssize_t depth, room; /* of the innermost level; levels that there is memory for */
    Py_ssize_t muted;       /* the level whose member at hand is cut with what is in it, or 0 */
    Rows members, containers;
    Outcome outcome;
    const char *stopped; /* where it is no JSON, or too deep */
    Level few[FEW_LEVELS];
} Scan;

static const char *stop(Scan *scan, Outcome outcome, const char *at) {
    scan->outcome = outcome;
    scan->stopped = at;
    return NULL;
}

/* Space, strings, numbers, literals. */

static inline const char *skip_space(const char *at) {
    while ((unsigned char)*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/* Between texts. In a sequence (RFC 7464) a record separator stands there too. */
static const char *skip_between(const Scan *scan, const char *at) {
    at = skip_space(at);
    while (scan->records && *at == '\x1e') at = skip_space(at + 1);
    return at;
}

#if HAVE_SSE2
#define STEP 16

/* Which of 16 bytes are a quote, a backslash or a control, as bits. */
static inline unsigned int find_ends(const char *at) {
    __m128i chunk = _mm_loadu_si128((const __m128i *)at);
    __m128i found = _mm_cmpeq_epi8(_mm_min_epu8(chunk, _mm_set1_epi8(0x1f)), chunk);
    found = _mm_or_si128(found, _mm_cmpeq_epi8(chunk, _mm_set1_epi8('"')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\')));
    return (unsigned int)_mm_movemask_epi8(found);
}

static inline int first_end(unsigned int ends) {
    return __builtin_ctz(ends);
}
#else
#define STEP 8

/* Whether one of 8 bytes is a quote, a backslash or a control. (Hacker's Delight, section 6-1:
 * a byte behind such a one may be taken for one too, so this does not tell which is the first.) */
static inline unsigned int find_ends(const char *at) {
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t chunk;
    memcpy(&chunk, at, STEP);
    uint64_t quotes = chunk ^ ones * '"', backslashes = chunk ^ ones * '\\';
    uint64_t found = ((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes)
                     | ((chunk - ones * 0x20) & ~chunk);
    return (found & highs) != 0;
}

static inline int first_end(unsigned int ends) {
    (void)ends;
    return 0;
}
#endif

/* The first byte of a string that is a quote, a backslash or a control. */
static inline const char *skip_plain(const char *at, const char *end) {
    unsigned int ends = 0;
    while (end - at >= STEP && !(ends = find_ends(at))) at += STEP;
    at += ends ? first_end(ends) : 0;
    while (*at != '"' && *at != '\\' && (unsigned char)*at >= 0x20) at++;
    return at;
}

/* The number that four hexadecimal digits spell, or -1; no byte is read behind one that is none. */
static int hex_number(const char *at) {
    int number = 0;
    for (int i = 0; i < 4; i++) {
        int letter = at[i] | 0x20;
        if (at[i] >= '0' && at[i] <= '9') {
            number = number << 4 | (at[i] - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            number = number << 4 | (letter - 'a' + 10);
        } else {
            return -1;
        }
    }
    return number;
}

/* The end of an escape, given its backslash; NULL if it is none. */
static inline const char *skip_escape(const char *at) {
    switch (at[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return at + 2;
    case 'u':
        return hex_number(at + 2) < 0 ? NULL : at + 6;
    default:
        return NULL;
    }
}

/* The end of a string, given what stands behind its first quote. */
static inline const char *skip_string(Scan *scan, const char *at, int *escaped) {
    for (;;) {
        at = skip_plain(at, scan->end);
        if (*at == '"') return at + 1;
        const char *behind = *at == '\\' ? skip_escape(at) : NULL;
        if (behind == NULL) return stop(scan, NO_JSON, at);
        at = behind;
        *escaped = 1;
    }
}

static inline const char *skip_digits(const char *at) {
    while (*at >= '0' && *at <= '9') at++;
    return at;
}

/* The end of the longest number that begins here; NULL if none does. */
static inline const char *skip_number(const char *at) {
    at += *at == '-';
    const char *end = *at == '0' ? at + 1 : skip_digits(at);
    if (end == at) return NULL;
    if (*end == '.') {
        at = skip_digits(end + 1);
        end = at == end + 1 ? end : at;
    }
    if (*end == 'e' || *end == 'E') {
        const char *digits = end + 1 + (end[1] == '+' || end[1] == '-');
        at = skip_digits(digits);
        end = at == digits ? end : at;
    }
    return end;
}

static const char *skip_scalar(Scan *scan, const char *at) {
    static const char *const literals[] = {"true", "false", "null", "NaN", "Infinity", "-Infinity"};
    const char *end = skip_number(at);
    for (size_t i = 0; end == NULL && i < Py_ARRAY_LENGTH(literals); i++) {
        size_t size = strlen(literals[i]);
        /* strncmp stops at the NUL, so it reads no further than the text. */
        end = strncmp(at, literals[i], size) == 0 ? at + size : NULL;
    }
    return end == NULL ? stop(scan, NO_JSON, at) : end;
}

/* Names. */

/* The character that an escape spells, which is moved past. Two halves of a character are one only
 * if both are escapes. */
static Py_UCS4 read_escape(const char **at) {
    static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
    const char *from = *at;
    *at += 2;
    if (from[1] != 'u') {
        const char *letter = strchr(letters, from[1]);
        return (Py_UCS4)(letter == NULL ? from[1] : controls[letter - letters]);
    }
    *at += 4;
    int unit = hex_number(from + 2);
    int next = from[6] == '\\' && from[7] == 'u' ? hex_number(from + 8) : -1;
    if ((unit & 0xFC00) != 0xD800 || (next & ~0x3FF) != 0xDC00) return (Py_UCS4)unit;
    *at += 6;
    return 0x10000 + (((Py_UCS4)unit & 0x3FF) << 10 | ((Py_UCS4)next & 0x3FF));
}

/* The value of a name that is spelled with escapes. Of one longer than every key only the beginning
 * is decoded, since it can match prefixes only. */
static uint32_t find_escaped(const KeyTable *keys, const char *at, const char *end) {
    char *to = keys->scratch, *enough = to + Py_MAX(keys->longest_name, keys->longest_prefix);
    while (at < end && to <= enough) {
        if (*at == '\\') {
            to += bg_put_utf8(to, read_escape(&at));
        } else {
            *to++ = *at++;
        }
    }
    return bg_keys_find_utf8(keys, keys->scratch, to - keys->scratch);
}

/* What was found. */

static int append_row(Rows *rows, const void *row, Py_ssize_t size) {
    if (rows->bytes == NULL) {
        rows->bytes = PyBytes_FromStringAndSize(NULL, 16 * size);
    } else if (PyBytes_GET_SIZE(rows->bytes) == rows->size) {
        _PyBytes_Resize(&rows->bytes, 2 * rows->size);
    }
    if (rows->bytes == NULL) return -1;
    memcpy(PyBytes_AS_STRING(rows->bytes) + rows->size, row, (size_t)size);
    rows->size += size;
    rows->count++;
    return 0;
}

/* Give each open container its row, what is around it first. */
static int note_containers(Scan *scan) {
    Level *level = &scan->levels[scan->depth];
    while (level > scan->levels + 1 && level[-1].row < 0) level--;
    for (; level <= &scan->levels[scan->depth]; level++) {
        Container row = {level[-1].row, level[-1].name < 0 ? level[-1].index : ~level[-1].name};
        if (append_row(&scan->containers, &row, sizeof row) < 0) return -1;
        level->row = scan->containers.count - 1;
    }
    return 0;
}

static const char *note_member(Scan *scan, uint32_t value, const char *start) {
    Level *level = &scan->levels[scan->depth];
    if (level->row < 0 && note_containers(scan) < 0) return stop(scan, FAILED, start);
    Member row = {level->row, level->index, value, level->name, start - scan->text, 0};
    if (append_row(&scan->members, &row, sizeof row) < 0) return stop(scan, FAILED, start);
    level->noted = scan->members.count - 1;
    if (value & BG_CUT) scan->muted = scan->depth;
    return start;
}

/* Where the value of the member at hand ends is known only now. */
static void end_noted(Scan *scan, Level *level, const char *at) {
    int64_t end = at - scan->text;
    char *rows = PyBytes_AS_STRING(scan->members.bytes);
    memcpy(rows + level->noted * (Py_ssize_t)sizeof(Member) + offsetof(Member, end), &end, 8);
    level->noted = -1;
    if (scan->muted == scan->depth) scan->muted = 0;
}

/* Containers. */

static int make_room(Scan *scan) {
    size_t size = (size_t)scan->room * sizeof(Level);
    Level *levels = PyMem_Realloc(scan->levels == scan->few ? NULL : scan->levels, 2 * size);
    if (levels == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (scan->levels == scan->few) memcpy(levels, scan->few, size);
    scan->levels = levels;
    scan->room *= 2;
    return 0;
}

/* Given an opening bracket, the first byte in the container. */
static inline const char *open_container(Scan *scan, const char *at) {
    if (scan->depth == MOST_LEVELS) return stop(scan, TOO_DEEP, at + 1);
    if (scan->depth + 1 == scan->room && make_room(scan) < 0) return stop(scan, FAILED, at);
    scan->levels[++scan->depth] = (Level){*at == '[' ? -1 : 0, 0, -1, -1};
    return skip_space(at + 1);
}

/* Given the first byte of an element or a member, the first one of its value. */
static inline const char *to_value(Scan *scan, const char *at) {
    Level *level = &scan->levels[scan->depth];
    if (level->name < 0) return at;
    if (*at != '"') return stop(scan, NO_JSON, at);
    const char *name = at + 1;
    int escaped = 0;
    level->name = at - scan->text;
    at = skip_string(scan, name, &escaped);
    if (at == NULL) return NULL;
    Py_ssize_t size = at - 1 - name;
    at = skip_space(at);
    if (*at != ':') return stop(scan, NO_JSON, at);
    at = skip_space(at + 1);
    if (scan->muted) return at;
    uint32_t value = escaped ? find_escaped(scan->keys, name, name + size)
                             : bg_keys_find_utf8(scan->keys, name, size);
    return value ? note_member(scan, value, at) : at;
}

/* Given the end of a value, the first byte behind it and all that closes there. */
static inline const char *close_containers(Scan *scan, const char *at) {
    for (;;) {
        Level *level = &scan->levels[scan->depth];
        if (level->noted >= 0) end_noted(scan, level, at);
        at = skip_space(at);
        if (scan->depth == 0 || *at != (level->name < 0 ? ']' : '}')) return at;
        scan->depth--;
        at++;
    }
}

/* Given the first byte of a text, the first one behind it and the space after it. */
static const char *scan_text(Scan *scan, const char *at) {
    while (at != NULL) {
        int escaped;
        if (*at == '{' || *at == '[') {
            at = open_container(scan, at);
            if (at != NULL && *at != '}' && *at != ']') {
                at = to_value(scan, at);
                continue;
            }
        } else {
            at = *at == '"' ? skip_string(scan, at + 1, &escaped) : skip_scalar(scan, at);
        }
        at = at == NULL ? NULL : close_containers(scan, at);
        if (at == NULL || scan->depth == 0) return at;
        if (*at != ',') return stop(scan, NO_JSON, at);
        scan->levels[scan->depth].index++;
        at = to_value(scan, skip_space(at + 1));
    }
    return NULL;
}

static void scan_texts(Scan *scan, const char *at) {
    for (at = skip_between(scan, at); at != NULL; scan->levels[0].index++) {
        at = scan_text(scan, at);
        at = at == NULL ? NULL : skip_between(scan, at);
        if (at == scan->end) return;
        if (at != NULL && !scan->records) at = stop(scan, NO_JSON, at);
    }
}

static PyObject *answer(Scan *scan) {
    Py_ssize_t stopped = scan->stopped - scan->text;
    if (scan->outcome == FAILED) return NULL;
    if (scan->outcome == NO_JSON) return PyLong_FromSsize_t(stopped);
    if (scan->outcome == TOO_DEEP) return PyLong_FromSsize_t(-stopped);
    Rows *members = &scan->members, *containers = &scan->containers;
    if (members->bytes == NULL) Py_RETURN_NONE;
    if (_PyBytes_Resize(&members->bytes, members->size) < 0) return NULL;
    if (_PyBytes_Resize(&containers->bytes, containers->size) < 0) return NULL;
    return PyTuple_Pack(2, containers->bytes, members->bytes);
}

PyObject *bg_scan(PyObject *module, PyObject *const *args, Py_ssize_t nargs) {
    if (nargs != 4 || !PyBytes_Check(args[0])) {
        return PyErr_Format(PyExc_TypeError, "scan() takes bytes, a KeyTable, an offset, a bool");
    }
    Scan scan = {.keys = bg_keys_check(module, args[1]), .room = FEW_LEVELS};
    Py_ssize_t start = PyLong_AsSsize_t(args[2]), size = PyBytes_GET_SIZE(args[0]);
    if (scan.keys == NULL || (start == -1 && PyErr_Occurred())) return NULL;
    if (start < 0 || start > size) {
        return PyErr_Format(PyExc_ValueError, "the offset is outside of the text");
    }
    scan.text = scan.stopped = PyBytes_AS_STRING(args[0]);
    scan.end = scan.text + size;
    scan.records = args[3] == Py_True;
    scan.levels = scan.few;
    scan.few[0] = (Level){-1, 0, -1, -1};
    scan_texts(&scan, scan.text + start);
    PyObject *found = answer(&scan);
    Py_XDECREF(scan.members.bytes);
    Py_XDECREF(scan.containers.bytes);
    if (scan.levels != scan.few) PyMem_Free(scan.levels);
    return found;
}
