/* SPDX-License-Identifier: MIT
 *
 * Places of a program as people read them.
 */
#ifndef MTRACE_CODE_TEXT_H
#define MTRACE_CODE_TEXT_H

/* A place or frame with what makes C++ names fill the screen left out: "std::_Function_handler<...>::_M_invoke(...) at
 * std_function.h:290". Names of C stay what they are but for the suffixes of the compiler's clones. One of some texts
 * that are used in turn; JSON has the whole name. */
const char *code_text(const char *place);

/* What goes between a thing and the place where it happens: " at " for a line, " in " for a function; "" if the place
 * is not known. */
const char *code_at(const char *place);

#endif
