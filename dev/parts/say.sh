# shellcheck shell=bash
# What the scripts of this folder say: on standard error, so that it never mixes with the output of
# a command they run, and in colour only on a terminal.

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' red=$'\e[31m' yellow=$'\e[33m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' red='' yellow='' green='' plain=''
fi

heading() { printf '\n%s== %s ==%s\n' "$bold" "$*" "$plain" >&2; }
note() { printf '%s\n' "$*" >&2; }
good() { printf '%s%s%s\n' "$green" "$*" "$plain" >&2; }
warn() { printf '%s%s%s\n' "$yellow" "$*" "$plain" >&2; }
error() { printf '%serror: %s%s\n' "$red" "$*" "$plain" >&2; }

die() {
  error "$@"
  exit 1
}

# With TEST_NO_SKIP set, what is missing is an error: a run that skips is no proof.
no_skip() { [[ -n ${TEST_NO_SKIP:-} && ${TEST_NO_SKIP} != 0 ]]; }

# skip WHAT: ends a run in which nothing may be skipped, and warns in any other.
skip() {
  no_skip && die "$* TEST_NO_SKIP is set, so nothing may be left out."
  warn "skipped: $*"
}
