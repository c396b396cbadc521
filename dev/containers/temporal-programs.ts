import { temporalPrograms } from '../stack/temporal-programs.ts';

console.log(await temporalPrograms());
