/* The compiled pass: an accelerator of `body_guard.core` with one meaning, that of walk and json.
 *
 * Py_mod_gil is left undeclared on purpose: a free-threaded build then switches the GIL on when
 * it imports this module, and the borrowed references below stay as safe as everywhere else.
 */

#include "_speedups.h"

static int
module_exec(PyObject *module)
{
    BgState *state = PyModule_GetState(module);
    state->key_table = (PyTypeObject *)PyType_FromModuleAndSpec(module, &bg_keys_spec, NULL);
    if (state->key_table == NULL || PyModule_AddType(module, state->key_table) < 0) {
        return -1;
    }
    if (PyModule_AddIntConstant(module, "CUT", BG_CUT) < 0
        || PyModule_AddIntConstant(module, "INDEX_SHIFT", BG_INDEX_SHIFT) < 0) {
        return -1;
    }
    return 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    BgState *state = PyModule_GetState(module);
    Py_VISIT(state->key_table);
    return 0;
}

static int
module_clear(PyObject *module)
{
    BgState *state = PyModule_GetState(module);
    Py_CLEAR(state->key_table);
    return 0;
}

static void
module_free(void *module)
{
    module_clear((PyObject *)module);
}

static PyMethodDef module_methods[] = {
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

PyMODINIT_FUNC
PyInit__speedups(void)
{
    return PyModuleDef_Init(&module_definition);
}
