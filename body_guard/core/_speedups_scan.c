/* scan: one pass over JSON text that finds the members whose names are in a key table.
 *
 * The grammar is that of Python's json: RFC 8259, and NaN, Infinity and -Infinity. Whether strings
 * are valid UTF-8 is not asked. Behind the last byte of a bytes object stands a NUL, which no token
 * contains: only what reads several bytes at once has to know where the text ends. */

#include "_speedups.h"

#define MOST_LEVELS 1000000 /* a body of opening brackets ends here, not in the swap space */

/* The rows of the answer; _speedups.pyi says what the columns are. */
typedef struct {
    int64_t container, position, value, name, start, end;
} Member;

typedef struct {
    int64_t parent, token;
} Container;

/* An open container. The lowest one stands for what is around the texts: an array of them. */
typedef struct {
    Py_ssize_t name;  /* where the name of the member at hand begins; in an array, -1 */
    Py_ssize_t index; /* of the member or element at hand */
    Py_ssize_t row;   /* its own among the containers; -1 as long as it has none */
    Py_ssize_t noted; /* the row of the member at hand among the members, or -1 */
} Level;

typedef struct {
    const char *text, *end;
    const BgKeys *keys;
    int records;
    Level *levels;
    Member *members;
    Container *containers;
    Py_ssize_t levels_size, members_used, members_size, containers_used, containers_size;
    Py_ssize_t depth; /* of the innermost level */
    Py_ssize_t muted; /* the level whose member at hand is cut with what is in it, or 0 */
    int is_stopped;
    Py_ssize_t stopped; /* where it is no JSON; negative, where it is too deep */
} Scan;

static const char *stop(Scan *scan, const char *at) {
    scan->is_stopped = 1;
    scan->stopped = at - scan->text;
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

/* The first byte of a string that is a quote, a backslash or a control. */
static inline const char *skip_plain(const char *at, const char *end) {
#ifdef BG_SSE2
    for (; end - at >= 16; at += 16) {
        unsigned specials = bg_find_specials(_mm_loadu_si128((const __m128i *)at));
        if (specials != 0) return at + __builtin_ctz(specials);
    }
#else
    (void)end;
#endif
    while (bg_is_plain((unsigned char)*at)) at++;
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

/* The end of an escape, given its backslash, and the code unit that it spells; NULL if it is none. */
static inline const char *read_escape(const char *at, Py_UCS4 *unit) {
    static const char meant[0x80] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                     ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    unsigned char letter = (unsigned char)at[1];
    int number = letter == 'u' ? hex_number(at + 2) : letter < 0x80 ? meant[letter] : 0;
    *unit = (Py_UCS4)number;
    if (letter == 'u') return number < 0 ? NULL : at + 6;
    return number == 0 ? NULL : at + 2;
}

/* The end of a string, given what stands behind its first quote. */
static inline const char *skip_string(Scan *scan, const char *at, int *escaped) {
    Py_UCS4 unit;
    for (;;) {
        at = skip_plain(at, scan->end);
        if (*at == '"') return at + 1;
        const char *behind = *at == '\\' ? read_escape(at, &unit) : NULL;
        if (behind == NULL) return stop(scan, at);
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
    return end == NULL ? stop(scan, at) : end;
}

/* The value of a name that is spelled with escapes. Of one longer than every key only the beginning
 * is decoded, since it can match prefixes only. Two surrogates are one character only if both are
 * escapes. */
static uint32_t find_escaped(const BgKeys *keys, const char *at, const char *end) {
    char *enough, *name = bg_keys_scratch(keys, &enough), *to = name;
    while (at < end && to <= enough) {
        Py_UCS4 unit, low;
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        at = read_escape(at, &unit);
        if (Py_UNICODE_IS_HIGH_SURROGATE(unit) && *at == '\\') {
            const char *behind = read_escape(at, &low);
            if (Py_UNICODE_IS_LOW_SURROGATE(low)) {
                unit = Py_UNICODE_JOIN_SURROGATES(unit, low);
                at = behind;
            }
        }
        to = bg_put_utf8(to, unit);
    }
    return bg_keys_find(keys, name, to - name);
}

/* What was found. */

/* Give each open container its row, what is around it first. */
static int note_containers(Scan *scan) {
    Level *level = &scan->levels[scan->depth];
    while (level > scan->levels + 1 && level[-1].row < 0) level--;
    for (; level <= &scan->levels[scan->depth]; level++) {
        if (BG_MAKE_ROOM(scan->containers, scan->containers_used, scan->containers_size) < 0) {
            return -1;
        }
        int64_t token = level[-1].name < 0 ? level[-1].index : ~level[-1].name;
        scan->containers[scan->containers_used] = (Container){level[-1].row, token};
        level->row = scan->containers_used++;
    }
    return 0;
}

static const char *note_member(Scan *scan, uint32_t value, const char *start) {
    Level *level = &scan->levels[scan->depth];
    if (level->row < 0 && note_containers(scan) < 0) return NULL;
    if (BG_MAKE_ROOM(scan->members, scan->members_used, scan->members_size) < 0) return NULL;
    Member row = {level->row, level->index, value, level->name, start - scan->text, 0};
    scan->members[scan->members_used] = row;
    level->noted = scan->members_used++;
    if (value & BG_CUT) scan->muted = scan->depth;
    return start;
}

/* Where the value of the member at hand ends is known only now. */
static void end_noted(Scan *scan, Level *level, const char *at) {
    scan->members[level->noted].end = at - scan->text;
    level->noted = -1;
    if (scan->muted == scan->depth) scan->muted = 0;
}

/* Containers. */

/* Given an opening bracket, the first byte in the container. */
static inline const char *open_container(Scan *scan, const char *at) {
    if (scan->depth == MOST_LEVELS) {
        stop(scan, at + 1);
        scan->stopped = -scan->stopped;
        return NULL;
    }
    if (BG_MAKE_ROOM(scan->levels, scan->depth + 1, scan->levels_size) < 0) return NULL;
    scan->levels[++scan->depth] = (Level){*at == '[' ? -1 : 0, 0, -1, -1};
    return skip_space(at + 1);
}

/* Given the first byte of an element or a member, the first one of its value. */
static inline const char *to_value(Scan *scan, const char *at) {
    Level *level = &scan->levels[scan->depth];
    if (level->name < 0) return at;
    if (*at != '"') return stop(scan, at);
    const char *name = at + 1;
    int escaped = 0;
    level->name = at - scan->text;
    at = skip_string(scan, name, &escaped);
    if (at == NULL) return NULL;
    Py_ssize_t size = at - 1 - name;
    at = skip_space(at);
    if (*at != ':') return stop(scan, at);
    at = skip_space(at + 1);
    if (scan->muted) return at;
    uint32_t value = escaped ? find_escaped(scan->keys, name, name + size)
                             : bg_keys_find(scan->keys, name, size);
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
        if (*at != ',') return stop(scan, at);
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
        if (at != NULL && !scan->records) at = stop(scan, at);
    }
}

static PyObject *answer(const Scan *scan) {
    if (PyErr_Occurred()) return NULL;
    if (scan->is_stopped) return PyLong_FromSsize_t(scan->stopped);
    if (scan->members_used == 0) Py_RETURN_NONE;
    return Py_BuildValue("(y#y#)", scan->containers,
                         scan->containers_used * (Py_ssize_t)sizeof(Container), scan->members,
                         scan->members_used * (Py_ssize_t)sizeof(Member));
}

PyObject *bg_scan(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs) {
    if (nargs != 4 || !PyBytes_Check(args[0])) {
        return PyErr_Format(PyExc_TypeError, "scan() takes bytes, a key table, an offset, a bool");
    }
    Scan scan = {.keys = PyCapsule_GetPointer(args[1], BG_KEYS)};
    Py_ssize_t start = PyLong_AsSsize_t(args[2]), size = PyBytes_GET_SIZE(args[0]);
    if (PyErr_Occurred()) return NULL;
    if (start < 0 || start > size) {
        return PyErr_Format(PyExc_ValueError, "the offset is outside of the text");
    }
    scan.text = PyBytes_AS_STRING(args[0]);
    scan.end = scan.text + size;
    scan.records = args[3] == Py_True;
    PyObject *found = NULL;
    if (BG_MAKE_ROOM(scan.levels, 0, scan.levels_size) == 0) {
        scan.levels[0] = (Level){-1, 0, -1, -1};
        scan_texts(&scan, scan.text + start);
        found = answer(&scan);
    }
    PyMem_Free(scan.levels);
    PyMem_Free(scan.members);
    PyMem_Free(scan.containers);
    return found;
}
