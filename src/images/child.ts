/** The one place where images start a process: skopeo, buildah and tar. */
export { ChildError, type ChildRequest, runProgram as runChild } from '../kernel/program.js';
