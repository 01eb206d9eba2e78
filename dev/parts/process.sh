# shellcheck shell=bash
# Running a command, and ending it with everything that it started.

child=

# run_child COMMAND…: like a plain COMMAND, but a signal to this script is handled at once. (Bash
# handles signals during `wait`, and not before a command in the foreground has ended.)
run_child() {
  local status=0
  # Without job control, bash gives a background command no input and lets it ignore Ctrl-C.
  (
    trap - INT QUIT
    exec "$@"
  ) <&0 &
  child=$!
  wait "$child" || status=$?
  child=
  return "$status"
}

# end_child SECONDS: asks the running command of run_child to end, and insists after SECONDS.
end_child() {
  [[ -n $child ]] || return 0
  signal_tree TERM "$child"
  until_gone "$1" "$child" || signal_tree KILL "$child"
  child=
}

# until_gone SECONDS PID: waits without `wait`, which can hang in bash 5.2 when a signal has ended an
# earlier `wait` for the same process.
until_gone() {
  local tries
  for ((tries = $1 * 20; tries > 0; tries--)); do
    kill -0 "$2" 2>/dev/null || return 0
    sleep 0.05
  done
  return 1
}

# signal_tree SIGNAL PID: also to the processes below PID, for `cargo test` does not end its tests.
signal_tree() {
  local below
  # shellcheck disable=SC2013 # words are what the file has
  for below in $(cat /proc/"$2"/task/*/children 2>/dev/null); do
    signal_tree "$1" "$below"
  done
  kill -"$1" "$2" 2>/dev/null || true
}

# on_end COMMAND: runs COMMAND when the script ends, for whatever reason.
on_end() {
  # shellcheck disable=SC2064 # the command is meant to be set now
  trap "trap '' INT TERM HUP; $1" EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}
