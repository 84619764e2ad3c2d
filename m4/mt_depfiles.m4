# SPDX-License-Identifier: MIT

# MT_DEPFILES: the empty files of dependencies that a Makefile includes before anything is compiled. Automake has make write each
# of these 500 in three processes; here are they before it looks. To be called before AM_INIT_AUTOMAKE.
AC_DEFUN([MT_DEPFILES],[
  AC_CONFIG_COMMANDS([empty-depfiles],[
    sed -n '/^am__depfiles_remade =/,/[[^\\]]$/p' Makefile | tr -s ' \t' '\n' | sed -n 's/\$(DEPDIR)/.deps/p' |
      while read mt_file; do
        test -d "${mt_file%/*}" || mkdir -p "${mt_file%/*}"
        test -e "$mt_file" || echo '# dummy' >"$mt_file"
      done
  ])
])
